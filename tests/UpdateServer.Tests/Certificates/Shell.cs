using System.Diagnostics;

namespace UpdateServer.Tests.Certificates;

/// <summary>A device with nothing but Debian's openssl, curl and a shell, in a folder of its own.</summary>
internal sealed class Shell(Uri server) : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("est");

    public string this[string name] => Path.Combine(_folder.FullName, name);

    /// <summary>Runs a script; fails with what it said when it fails.</summary>
    public async Task<string> RunAsync(string script)
    {
        var (exitCode, said) = await TryAsync(script);
        Assert.True(exitCode == 0, $"{script}\n{said}");
        return said.Trim();
    }

    /// <summary>Runs a script. <c>$EST</c> is the address of EST, and <c>curl</c> takes the server's certificate as it is.</summary>
    public async Task<(int ExitCode, string Said)> TryAsync(string script)
    {
        var start = new ProcessStartInfo("bash", ["-eu", "-o", "pipefail", "-c", $"curl() {{ command curl --silent --show-error --insecure \"$@\"; }}\n{script}"]) { WorkingDirectory = _folder.FullName, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["EST"] = new Uri(server, "/.well-known/est").ToString();
        start.Environment["DDI"] = new Uri(server, "/default/controller/v1").ToString();
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output + await error);
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
