using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Appliance.ImageBuilder.Run;

/// <summary>
/// A root shell inside a virtual machine, for tests. The firmware hands systemd the unit that runs it (SMBIOS credentials,
/// systemd-debug-generator(8)), so that the image under test is the one that ships.
/// </summary>
internal sealed class GuestShell : IDisposable
{
    private const string PortName = "appliance.test";
    private static readonly TimeSpan CommandLimit = TimeSpan.FromMinutes(10);

    private readonly SemaphoreSlim _one = new(1);
    private readonly string _path;
    private NetworkStream? _stream;
    private StreamReader? _reader;

    private GuestShell(string path) => _path = path;

    private const string Unit = $"""
        [Unit]
        Description=Test shell
        Wants=dev-virtio\x2dports-{PortName}.device
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

    /// <summary>Connects. The connection lasts over the machine's reboots: the shell ends with it.</summary>
    public static async Task<GuestShell> ConnectAsync(string machineFolder, CancellationToken cancellationToken)
    {
        var shell = new GuestShell(Path.Combine(machineFolder, "shell"));
        await shell.OpenAsync(cancellationToken);
        return shell;
    }

    /// <summary>Runs a command line and gives its exit code and what it printed.</summary>
    /// <exception cref="TimeoutException">No answer within ten minutes, in which even a loaded emulator installs a version: the machine is booting, or hangs.</exception>
    public async Task<(int ExitCode, string Output)> RunAsync(string command, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(CommandLimit);
        await _one.WaitAsync(limit.Token);
        var answered = false;
        try
        {
            if (_stream is null) await OpenAsync(limit.Token);
            var (stream, reader) = (_stream!, _reader!);
            // What an earlier command without an answer printed comes before our mark. Half a command may be left of one that a
            // restart cut: without quotes around ours it is at most a syntax error, at which a new shell starts.
            var mark = Guid.NewGuid().ToString("N");
            await stream.WriteAsync(Encoding.UTF8.GetBytes($"echo; echo {mark}; ( {command}\n) 2>&1 </dev/null; echo {mark} $?\n"), limit.Token);
            while (await reader.ReadLineAsync(limit.Token) is { } line && line != mark)
            {
            }
            var output = new StringBuilder();
            while (await reader.ReadLineAsync(limit.Token) is { } line)
            {
                var at = line.IndexOf(mark, StringComparison.Ordinal);
                if (at >= 0)
                {
                    output.Append(line.AsSpan(0, at));
                    answered = true;
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
            // A restart may have left the shell in the middle of a command whose end never comes. It ends with the connection.
            if (!answered) Close();
            _one.Release();
        }
    }

    public void Dispose()
    {
        _one.Dispose();
        Close();
    }

    private async Task OpenAsync(CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(_path), cancellationToken);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        _stream = new NetworkStream(socket, ownsSocket: true);
        _reader = new StreamReader(_stream);
    }

    private void Close()
    {
        _reader?.Dispose();
        (_stream, _reader) = (null, null);
    }

    private static string[] Credential(string name, string text) =>
        ["-smbios", $"type=11,value=io.systemd.credential.binary:{name}={Convert.ToBase64String(Encoding.UTF8.GetBytes(text))}"];
}
