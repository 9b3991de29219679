using System.Diagnostics;
using System.Text;

namespace Supervisor.Tests.Boot;

/// <summary>
/// What the initrd sees of a device, in a folder: an ESP and a data partition as images of real file systems, and before the real
/// tools in PATH some that end the script at a given step, as a power cut does.
/// </summary>
internal sealed class BootedTree : IDisposable
{
    public const string Hash = "0123456789abcdef0123456789abcdef00112233445566778899aabbccddeeff";
    private const string Esp = "c0ffee00-1111-2222-3333-444455556666";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("booted");

    public BootedTree(int boots, params string[] entries)
    {
        Write("root/proc/cmdline", $"quiet roothash={Hash} panic=10\n");
        WriteVariable("LoaderDevicePartUUID", Esp.ToUpperInvariant());
        WriteVariable("LoaderEntrySelected", "edge_1.0.efi");
        foreach (var number in new[] { "1", "6" }) Write($"root/sys/devices/vda/vda{number}/partition", number + "\n");
        Directory.CreateDirectory(In("root/sys/class/block"));
        Directory.CreateSymbolicLink(In("root/sys/class/block/vda1"), "../../devices/vda/vda1");
        Directory.CreateDirectory(In("root/dev/disk/by-partuuid"));
        File.CreateSymbolicLink(In($"root/dev/disk/by-partuuid/{Esp}"), "../../vda1");
        foreach (var tool in new[] { "mount", "umount", "mv", "sync" })
            WriteTool(tool, $"read -r left < '{In("steps")}'; if [ $left = 0 ]; then kill -9 $PPID; exit 1; fi; echo $((left - 1)) > '{In("steps")}'\nPATH=${{PATH#*:}}; exec {tool} \"$@\"\n");
        WriteTool("udevadm", "exit 0\n");
        WriteTool("systemctl", $"echo \"$*\" > '{In("rebooted")}'\n");
        // A kernel may lack FAT, and then another file system takes its place.
        var fat = File.ReadLines("/proc/filesystems").Any(line => line.EndsWith("vfat", StringComparison.Ordinal));
        Shell($"truncate -s 8M root/dev/vda1 root/dev/vda6; {(fat ? "mkfs.vfat" : "mkfs.ext4 -q")} root/dev/vda1 >/dev/null; mkfs.ext4 -q root/dev/vda6; mkdir m");
        Shell("mount root/dev/vda1 m; mkdir -p m/EFI/Linux; cd m/EFI/Linux; " + string.Concat(entries.Select(entry => $"echo UKI > '{entry}'; ")));
        if (boots > 0) Shell($"mount root/dev/vda6 m; mkdir -p m/lib/appliance; echo {Hash} {boots} > m/lib/appliance/boots");
    }

    /// <summary>The entries on the ESP.</summary>
    public IReadOnlyList<string> Entries => Shell("mount root/dev/vda1 m; ls -A m/EFI/Linux").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The count on the data partition.</summary>
    public string Boots => Shell("mount root/dev/vda6 m; cat m/lib/appliance/boots").Output.Trim();

    /// <summary>What the data partition has beside it.</summary>
    public string Data => Shell("mount root/dev/vda6 m; ls -A m/lib/appliance").Output.Trim();

    /// <summary>What systemctl was asked for, null when it was not.</summary>
    public string? Rebooted => File.Exists(In("rebooted")) ? File.ReadAllText(In("rebooted")).Trim() : null;

    /// <summary>Boots: runs the script with the tools' steps limited. False when it did not come to its end.</summary>
    public (int ExitCode, string Output) Boot(int steps = 1000)
    {
        File.Delete(In("rebooted"));
        File.WriteAllText(In("steps"), $"{steps}\n");
        var script = Path.Combine(Repository(), "image/initrd/usr/lib/appliance/count-boot");
        return Shell($"APPLIANCE_ROOT='{In("root")}' PATH='{In("bin")}':$PATH sh '{script}'");
    }

    public void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(In(path))!);
        File.WriteAllText(In(path), text);
    }

    public void WriteVariable(string name, string value)
    {
        Write($"root/sys/firmware/efi/efivars/{name}-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", "");
        File.WriteAllBytes(In($"root/sys/firmware/efi/efivars/{name}-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"), [6, 0, 0, 0, .. Encoding.Unicode.GetBytes(value + "\0")]);
    }

    /// <summary>Runs a command in the folder, with mounts that go when it ends.</summary>
    public (int ExitCode, string Output) Shell(string command)
    {
        var start = new ProcessStartInfo("unshare", ["--mount", "sh", "-c", command]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _folder.FullName };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output.Result + errors);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private string In(string path) => Path.Combine(_folder.FullName, path);

    private void WriteTool(string name, string script)
    {
        Write($"bin/{name}", "#!/bin/sh\n" + script);
        File.SetUnixFileMode(In($"bin/{name}"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }

    private static string Repository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!Directory.Exists(Path.Combine(folder.FullName, "image/initrd"))) folder = folder.Parent!;
        return folder.FullName;
    }
}
