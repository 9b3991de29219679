using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Appliance.Core;
using Appliance.Supervisor.Processes;

namespace Supervisor.Tests.Credentials;

/// <summary>Debian's sshd at a port of its own.</summary>
internal sealed class Sshd : IDisposable
{
    private Process? _process;

    public Sshd() => Directory.CreateDirectory("/run/sshd");

    /// <summary>Where it listens.</summary>
    public int Port { get; } = FreePort();

    /// <summary>The first lines of settings for it.</summary>
    public string Settings => $"Port {Port}\nListenAddress 127.0.0.1\nPidFile none\nUsePAM no\nStrictModes no\n";

    /// <summary>Starts it anew.</summary>
    /// <exception cref="UserError">It does not start with these settings.</exception>
    public async Task RestartAsync(string settings)
    {
        _process?.Kill();
        _process?.WaitForExit();
        _process = Process.Start(new ProcessStartInfo("/usr/sbin/sshd", ["-D", "-q", "-f", settings]))!;
        for (var i = 0; i < 200; i++)
        {
            if (_process.HasExited) throw new UserError("sshd does not start");
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, Port);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(20);
            }
        }
        throw new UserError("sshd does not listen");
    }

    public void Dispose()
    {
        _process?.Kill();
        _process?.Dispose();
    }

    /// <summary>Runs one of OpenSSH's programs.</summary>
    public static ProcessOutcome Try(string program, params string[] arguments) => ProcessRunner.RunAsync(new ProcessCommand(program, arguments), CancellationToken.None).GetAwaiter().GetResult();

    /// <summary>Runs one that must succeed; returns what it printed.</summary>
    public static IReadOnlyList<string> Run(string program, params string[] arguments)
    {
        var outcome = Try(program, arguments);
        Assert.True(outcome.Succeeded, string.Join('\n', outcome.Tail));
        return outcome.Tail;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
