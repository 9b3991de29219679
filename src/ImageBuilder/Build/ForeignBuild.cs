using Appliance.Core;
using Appliance.ImageBuilder.Definition;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Build;

/// <summary>
/// What building for another architecture takes: user emulation, since the packages' own scripts, dracut and systemd's tools run
/// inside the image's tree, and a compiler for the supervisor. Everything else runs on this machine's own processor.
/// </summary>
internal static class ForeignBuild
{
    private const string Supported = "arm64";
    private static readonly string[] Toolchain = ["lld", "binutils-aarch64-linux-gnu", "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"];
    private static readonly string[] ToolchainPrograms = ["clang", "ld.lld", "aarch64-linux-gnu-objcopy", "aarch64-linux-gnu-gcc"];

    /// <summary>Debian's packages that a builder of this machine's architecture needs for other boards. The kernel runs its own emulator; mmdebstrap wants to see one as well.</summary>
    public static IReadOnlyList<string> Packages => DebianArchitecture.Host == Supported ? [] : [.. Toolchain, "arch-test", "qemu-user-static"];

    /// <summary>Refuses early, with the way out, what this machine cannot build.</summary>
    /// <param name="board">The machine the image is for.</param>
    /// <param name="compiles">False when the supervisor's binary is given.</param>
    /// <param name="cancellationToken">Ends the look.</param>
    /// <exception cref="UserError">Emulation or the compiler is missing.</exception>
    public static async Task RequireAsync(BoardDefinition board, bool compiles, CancellationToken cancellationToken)
    {
        var host = DebianArchitecture.Host;
        if (board.Architecture == host) return;
        var why = $"Board {board.Name} is {board.Architecture} and this machine is {host}";
        if (board.Architecture != Supported) throw new UserError($"{why}; that way round images cannot be built.", $"Build on an {board.Architecture} machine.");
        if (compiles && ToolchainPrograms.Where(program => !ToolRunner.IsInstalled(program)).ToList() is { Count: > 0 } missing)
            throw new UserError($"{why}; the compiler for the supervisor is missing ({string.Join(", ", missing)}).", $"apt-get install clang {string.Join(' ', Toolchain)}, or give a ready binary with --supervisor FILE.");
        if (!ToolRunner.IsInstalled("arch-test")) throw new UserError($"{why}; the emulator is missing (arch-test).", "apt-get install qemu-user-static arch-test");
        try
        {
            await ToolRunner.RunAsync("arch-test", [board.Architecture], cancellationToken: cancellationToken);
        }
        catch (ToolFailure failure)
        {
            throw new UserError($"{why}, which does not run {board.Architecture} programs.",
                "apt-get install qemu-user-static. Where systemd does not run, as in a container, then also: mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc; /usr/lib/systemd/systemd-binfmt qemu-aarch64.conf. For a build in a container, on the machine of its engine.", failure);
        }
    }
}
