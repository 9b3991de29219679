using Appliance.Core;
using Appliance.ImageBuilder.Build;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Pipeline;

/// <summary>Where the supervisor's native binary comes from: a file given by hand, or the source tree published with Native AOT.</summary>
internal sealed class SupervisorPublication
{
    /// <summary>Name of the binary in the stage's result.</summary>
    public const string BinaryName = "appliance-supervisor";

    private static readonly string[] BuildFiles = ["Directory.Build.props", "Directory.Packages.props", "global.json"];
    private static readonly string[] SourceFolders = ["src/Core", "src/UpdateClient", "src/Supervisor"];

    private readonly string? _binary;
    private readonly string? _project;
    private readonly string _architecture;

    private SupervisorPublication(string? binary, string? project, string architecture) =>
        (_binary, _project, _architecture) = (binary, project, architecture);

    /// <summary>Chooses the source.</summary>
    /// <exception cref="UserError">The given binary is missing, or there is no source tree to publish from.</exception>
    public static SupervisorPublication For(BuildOptions options, string architecture)
    {
        if (options.Supervisor is { } binary)
            return File.Exists(binary) ? new(binary, null, architecture) : throw new UserError($"The supervisor binary {binary} does not exist.", "Correct --supervisor, or leave it out to publish from the source tree.");
        var project = ProductFolders.SupervisorProject(options.DefinitionPath)
            ?? throw new UserError("There is no source tree to publish the supervisor from.", "Give a ready binary with --supervisor FILE.");
        return new(null, project, architecture);
    }

    /// <summary>Hashes the binary, or every source file and the SDK's version.</summary>
    public async Task<StageKey> KeyAsync(CancellationToken cancellationToken)
    {
        var key = new StageKey().Add("stage", "supervisor").Add("architecture", _architecture).Add("stripper", SymbolStripper());
        if (_binary is not null) return key.AddFile("binary", _binary);
        var root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(_project!)!, "..", ".."));
        foreach (var file in BuildFiles) key.AddFile(file, Path.Combine(root, file));
        foreach (var folder in SourceFolders.Where(folder => Directory.Exists(Path.Combine(root, folder))))
            key.AddTree(folder, Path.Combine(root, folder), IsSource);
        return key.Add("sdk", await ToolRunner.RunAsync("dotnet", ["--version"], cancellationToken: cancellationToken));
    }

    /// <summary>Puts the binary into a folder.</summary>
    public async Task RunAsync(string folder, string workFolder, Action<string> onLine, CancellationToken cancellationToken)
    {
        var target = Path.Combine(folder, BinaryName);
        if (_binary is not null)
        {
            File.Copy(_binary, target);
            return;
        }
        try
        {
            // Its own artifacts folder: neither an IDE nor a test run that builds the same projects gets in the way.
            // Enclosed: the compilers it starts do not outlive an interrupted build.
            await Sandbox.RunAsCallerAsync("dotnet",
                ["publish", _project!, "--configuration", "Release", "--runtime", _architecture == "amd64" ? "linux-x64" : "linux-arm64",
                 "--artifacts-path", workFolder, "--output", Path.Combine(workFolder, "out"), "--nologo", "--disable-build-servers", "-p:UseSharedCompilation=false", .. SymbolStripper()],
                onLine, cancellationToken);
            File.Copy(Path.Combine(workFolder, "out", BinaryName), target);
        }
        catch (ToolFailure failure) when (failure.Tail.Contains("NU1301", StringComparison.Ordinal) || failure.Tail.Contains("Unable to load the service index", StringComparison.Ordinal))
        {
            throw new UserError("The NuGet packages of the supervisor cannot be fetched: the registry does not answer.", "Check the network and the proxy settings, or give a ready binary with --supervisor FILE.", failure);
        }
        catch (ToolFailure failure) when (failure.Tail.Contains("Platform linker", StringComparison.Ordinal))
        {
            throw new UserError("Native AOT needs a C linker, and none is installed.", "apt-get install clang zlib1g-dev", failure);
        }
        finally
        {
            if (Directory.Exists(workFolder)) Directory.Delete(workFolder, recursive: true);
        }
    }

    /// <summary>Left alone, .NET takes LLVM's where there is one, which orders the sections differently: the same sources would give other bytes on another host.</summary>
    private string[] SymbolStripper() => _architecture == DebianArchitecture.Host ? ["-p:ObjCopyName=objcopy"] : [];

    private static bool IsSource(string relative) =>
        !relative.Split('/').Any(part => part is "bin" or "obj");
}
