using System.Diagnostics;
using ImageBuilder.Tests.Workloads;

namespace UpdateServer.Tests.Peers;

/// <summary>
/// A Debian tree with somebody else's client in it, made once and kept in out/peers: the programs of another release run with their own
/// libraries, and nothing is installed on this machine.
/// </summary>
internal sealed class PeerTree : IAsyncDisposable
{
    private static readonly SemaphoreSlim One = new(1);
    private readonly string _tree, _inside = $"work-{Guid.NewGuid():N}";
    private readonly List<Process> _running = [];

    private PeerTree(string tree)
    {
        _tree = tree;
        Directory.CreateDirectory(Folder);
    }

    /// <summary>A folder of the tree, from outside.</summary>
    public string Folder => Path.Combine(_tree, _inside);

    /// <summary>The same, from inside.</summary>
    public string FolderInside => $"/{_inside}";

    /// <summary>Opens a tree.</summary>
    public static async Task<PeerTree> OpenAsync(string suite, params string[] packages)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "a tree of another Debian is entered as root");
        var tree = Path.Combine(Repository.Folder, "out", "peers", $"{suite}-{packages[0]}");
        await One.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            if (Directory.Exists(tree)) return new PeerTree(tree);
            var partial = tree + ".partial";
            if (Directory.Exists(partial)) Directory.Delete(partial, recursive: true);
            Directory.CreateDirectory(Path.GetDirectoryName(tree)!);
            // A mirror may lag behind, and these programs prove nothing by being new.
            SomeImage.Run("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--aptopt=Acquire::Check-Valid-Until \"false\"", "--dpkgopt=force-unsafe-io", $"--include={string.Join(',', packages)}", suite, partial);
            Directory.Move(partial, tree);
            return new PeerTree(tree);
        }
        finally
        {
            One.Release();
        }
    }

    public void Write(string name, string text) => File.WriteAllText(Path.Combine(Folder, name), text);

    /// <summary>Runs a script in the folder, to its end.</summary>
    public void RunScript(string script)
    {
        var command = Inside(script);
        SomeImage.Run(command[0], command[1..]);
    }

    /// <summary>Starts a script in the folder, which runs until the end of the test; what it says is in a file.</summary>
    public Process Start(string script, string log)
    {
        var command = Inside($"exec >{log} 2>&1; {script}");
        var process = Process.Start(new ProcessStartInfo(command[0], command[1..]))!;
        _running.Add(process);
        return process;
    }

    public string Log(string name) => File.Exists(Path.Combine(Folder, name)) ? File.ReadAllText(Path.Combine(Folder, name)) : "";

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _running)
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
            process.Dispose();
        }
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>In namespaces of its own: what is started ends with it, what is mounted goes with it.</summary>
    private string[] Inside(string script)
    {
        var name = $"script-{Guid.NewGuid():N}";
        Write(name, $"cd {FolderInside}\n{script}\n");
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", "mount -t proc proc \"$0/proc\"; mount --bind /dev \"$0/dev\"; exec chroot \"$0\" sh -e \"$1\"", _tree, $"{FolderInside}/{name}"];
    }
}
