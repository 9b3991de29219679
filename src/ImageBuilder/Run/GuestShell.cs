using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Appliance.ImageBuilder.Run;

/// <summary>
/// A root shell inside a virtual machine, for tests. The firmware hands systemd the unit that runs it (SMBIOS credentials,
/// systemd-debug-generator(8)), so that the image under test is the one that ships.
/// </summary>
internal sealed class GuestShell(NetworkStream stream) : IDisposable
{
    private const string PortName = "appliance.test";
    private static readonly TimeSpan CommandLimit = TimeSpan.FromMinutes(10);

    private readonly StreamReader _reader = new(stream);
    private readonly SemaphoreSlim _one = new(1);

    private const string Unit = $"""
        [Unit]
        Description=Test shell
        Requires=dev-virtio\x2dports-{PortName}.device
        After=dev-virtio\x2dports-{PortName}.device
        StartLimitIntervalSec=0
        [Service]
        ExecStart=/bin/sh
        StandardInput=file:/dev/virtio-ports/{PortName}
        StandardOutput=file:/dev/virtio-ports/{PortName}
        Restart=always
        RestartSec=1
        """;

    /// <summary>What QEMU is told.</summary>
    public static IEnumerable<string> Arguments(string machineFolder) =>
    [
        "-device", "virtio-serial-pci", "-chardev", $"socket,id=shell,path={Path.Combine(machineFolder, "shell")},server=on,wait=off",
        "-device", $"virtserialport,chardev=shell,name={PortName}",
        .. Credential("systemd.extra-unit.appliance-test-shell.service", Unit),
        .. Credential("systemd.unit-dropin.multi-user.target", "[Unit]\nWants=appliance-test-shell.service\n"),
    ];

    /// <summary>Connects. The connection lasts as long as the machine, over its reboots: the shell ends with it.</summary>
    public static async Task<GuestShell> ConnectAsync(string machineFolder, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(machineFolder, "shell")), cancellationToken);
        return new GuestShell(new NetworkStream(socket, ownsSocket: true));
    }

    /// <summary>Runs a command line and gives its exit code and what it printed.</summary>
    /// <exception cref="TimeoutException">No answer within ten minutes, in which even a loaded emulator installs a version: the machine is booting, or hangs.</exception>
    public async Task<(int ExitCode, string Output)> RunAsync(string command, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(CommandLimit);
        await _one.WaitAsync(limit.Token);
        try
        {
            // What an earlier command without an answer printed comes before our mark. Half a command may be left of one that a
            // restart cut: without quotes around ours it is at most a syntax error, at which a new shell starts.
            var mark = Guid.NewGuid().ToString("N");
            await stream.WriteAsync(Encoding.UTF8.GetBytes($"echo; echo {mark}; ( {command}\n) 2>&1 </dev/null; echo {mark} $?\n"), limit.Token);
            while (await _reader.ReadLineAsync(limit.Token) is { } line && line != mark)
            {
            }
            var output = new StringBuilder();
            while (await _reader.ReadLineAsync(limit.Token) is { } line)
            {
                var at = line.IndexOf(mark, StringComparison.Ordinal);
                if (at >= 0)
                {
                    output.Append(line.AsSpan(0, at));
                    return (int.Parse(line.AsSpan(at + mark.Length), CultureInfo.InvariantCulture), output.ToString().TrimEnd());
                }
                output.AppendLine(line);
            }
            throw new EndOfStreamException("the machine is gone");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"no answer to: {command}");
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose()
    {
        _one.Dispose();
        _reader.Dispose();
    }

    private static string[] Credential(string name, string text) =>
        ["-smbios", $"type=11,value=io.systemd.credential.binary:{name}={Convert.ToBase64String(Encoding.UTF8.GetBytes(text))}"];
}
