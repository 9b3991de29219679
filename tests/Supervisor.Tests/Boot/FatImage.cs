using System.Diagnostics;

namespace Supervisor.Tests.Boot;

/// <summary>A FAT file system in a file, mounted by the kernel, or by fusefat where the kernel has no FAT.</summary>
internal sealed class FatImage : IDisposable
{
    private const string FusePath = "/usr/bin/fusefat";
    private readonly string _path;

    public FatImage(string path)
    {
        (_path, Folder) = (path, path + ".mount");
        using (var file = File.Create(path)) file.SetLength(40 << 20);
        Directory.CreateDirectory(Folder);
        Run("mkfs.vfat", "-F", "32", path);
        Mount();
    }

    /// <summary>Why no FAT image can be mounted here, null when it can.</summary>
    public static string? Obstacle =>
        !Environment.IsPrivilegedProcess ? "only root mounts" : KernelHasFat || File.Exists(FusePath) ? null : "neither the kernel nor fusefat mounts FAT";

    /// <summary>Where it is mounted.</summary>
    public string Folder { get; }

    private static bool KernelHasFat => File.ReadLines("/proc/filesystems").Any(line => line.EndsWith("vfat", StringComparison.Ordinal));

    /// <summary>Takes it out and puts it in again, checked meanwhile: what is seen afterwards is what was on the disk.</summary>
    public void Reinsert()
    {
        Unmount();
        Run("fsck.vfat", "-n", _path);
        Mount();
    }

    public void Dispose() => Unmount();

    /// <summary>fusefat unmounts the folder itself when it ends, and with it what is mounted there by then.</summary>
    private void Unmount()
    {
        // FUSE lets go of what was closed a moment later.
        Run("/bin/sh", "-c", "for i in $(seq 100); do umount \"$0\" 2>/dev/null && exit; sleep 0.05; done; umount \"$0\"", Folder);
        while (Process.GetProcessesByName("fusefat").Any(process => Serves(process.Id))) Thread.Yield();
    }

    private bool Serves(int process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/cmdline").Contains(Folder, StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false; // it has ended
        }
    }

    private void Mount()
    {
        if (KernelHasFat) Run("mount", "-o", "loop", _path, Folder);
        else Run(FusePath, "-o", "rw+", _path, Folder);
        // fusefat goes to the background before it has mounted.
        while (!File.ReadLines("/proc/self/mountinfo").Any(line => line.Contains($" {Folder} ", StringComparison.Ordinal))) Thread.Yield();
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program}: {output.Result} {errors}");
    }
}
