using System.Diagnostics;

namespace ImageBuilder.Tests.Keys;

/// <summary>
/// Debian trixie's python-tuf in a tree of its own, made once with mmdebstrap (about half a minute) in <c>out/cache/peers</c>.
/// Needs root for chroot.
/// </summary>
internal sealed class PythonTuf : IDisposable
{
    private readonly string _tree;
    private readonly string _work;

    private PythonTuf(string tree)
    {
        _tree = tree;
        _work = Directory.CreateDirectory(Path.Combine(tree, "tmp", Guid.NewGuid().ToString("N"))).FullName;
    }

    public void Dispose() => Directory.Delete(_work, recursive: true);

    public static async Task<PythonTuf> OpenAsync()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "python-tuf runs in a chroot, which needs root.");
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Appliance.sln"))) folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("The tests run outside of the source tree.");
        var peers = Path.Combine(folder, "out", "cache", "peers");
        var tree = Path.Combine(peers, "python-tuf");
        if (Directory.Exists(tree)) return new PythonTuf(tree);

        Directory.CreateDirectory(peers);
        var partial = $"{tree}.{Environment.ProcessId}";
        var (exitCode, output) = await RunAsync("mmdebstrap", ["--variant=apt", "--include=python3-tuf,python3-cryptography", "trixie", partial]);
        Assert.True(exitCode == 0, output);
        Directory.Move(partial, tree);
        return new PythonTuf(tree);
    }

    /// <summary>Starts a client that trusts a root.</summary>
    public string NewClient(byte[] root)
    {
        var client = Directory.CreateDirectory(Path.Combine(_work, Guid.NewGuid().ToString("N"))).FullName;
        Directory.CreateDirectory(Path.Combine(client, "targets"));
        Directory.CreateDirectory(Path.Combine(client, "metadata"));
        File.WriteAllBytes(Path.Combine(client, "metadata", "root.json"), root);
        return client;
    }

    /// <summary>Lets a client update and fetch a target: its content, or the name of the exception.</summary>
    public async Task<string> FetchAsync(string client, string url, string target)
    {
        const string script = """
            import sys
            from tuf.ngclient import Updater
            base, url, target = sys.argv[1:]
            try:
                updater = Updater(base + "/metadata", url + "/metadata/", base + "/targets", url + "/targets/")
                updater.refresh()
                info = updater.get_targetinfo(target)
                print("none" if info is None else open(updater.download_target(info)).read(), end="")
            except Exception as error:
                import traceback; traceback.print_exc()
                print(type(error).__name__, end="")
            """;
        return await PythonAsync(script, "/" + Path.GetRelativePath(_tree, client), url, target);
    }

    /// <summary>Runs a script with the tree's Python.</summary>
    public async Task<string> PythonAsync(string script, params string[] arguments)
    {
        var (exitCode, output) = await RunAsync("chroot", [_tree, "python3", "-c", script, .. arguments]);
        Assert.True(exitCode == 0, output);
        return output;
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(string program, string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output);
    }
}
