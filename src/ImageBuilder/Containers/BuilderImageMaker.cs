using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.ImageBuilder.Build;
using Appliance.ImageBuilder.Pipeline;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Containers;

/// <summary>Makes the image that builds run in: Debian's packages by mmdebstrap, and this machine's .NET SDK. Nothing of it is pulled.</summary>
internal static class BuilderImageMaker
{
    /// <summary>The stage's name in what is shown.</summary>
    public const string Stage = "builder";

    // What ./build.sh installs (its build_packages, and what other boards take); then what a Debian host has anyway: mount, certificates and the libraries of
    // .NET; and skopeo for the images of workloads.
    private static readonly string[] Packages =
        ["mmdebstrap", "uidmap", "clang", "zlib1g-dev", "libdivsufsort3", "mount", "ca-certificates", "openssl", "libstdc++6", "skopeo", .. ForeignBuild.Packages];

    private static readonly string[] Variables =
        ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DOTNET_ROOT=/usr/share/dotnet", "DOTNET_CLI_TELEMETRY_OPTOUT=1", "DOTNET_NOLOGO=1", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1", "LANG=C.UTF-8"];

    /// <summary>Makes it.</summary>
    /// <param name="path">The file to write; gzip when it ends in .gz. A folder beside it holds what is not whole yet.</param>
    /// <param name="suite">Debian's release.</param>
    /// <param name="mirrors">Archives to use instead of mmdebstrap's default.</param>
    /// <param name="observer">Sees it happen.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static async Task<BuilderArchive> MakeAsync(string path, string suite, IReadOnlyList<string> mirrors, IBuildObserver observer, CancellationToken cancellationToken)
    {
        Sandbox.RequireNamespaces();
        var work = $"{Path.GetFullPath(path)}.{Guid.NewGuid():N}{StageCache.Partial}";
        var clock = System.Diagnostics.Stopwatch.StartNew();
        observer.Started(Stage);
        try
        {
            var sdk = await LinuxSdk.FindAsync(cancellationToken);
            Directory.CreateDirectory(work);
            await BootstrapAsync(work, suite, mirrors, line => observer.Output(Stage, line), cancellationToken);
            long copied = 0;
            await sdk.WriteLayerAsync(Path.Combine(work, "sdk.tar"), bytes => observer.Progress(Stage, copied += bytes, 0), cancellationToken);
            var whole = Path.Combine(work, Path.GetFileName(path));
            var archive = await BuilderArchive.WriteAsync(whole, BuilderImage.DefaultName(DebianArchitecture.Host), Describe(sdk, suite), [Path.Combine(work, "root.tar"), Path.Combine(work, "sdk.tar")],
                (done, total) => observer.Progress(Stage, done, total), cancellationToken);
            File.Move(whole, path, overwrite: true);
            observer.Finished(Stage, clock.Elapsed, cached: false);
            return archive;
        }
        catch
        {
            observer.Failed(Stage, clock.Elapsed);
            throw;
        }
        finally
        {
            await Sandbox.DeleteAsync(work);
        }
    }

    private static async Task BootstrapAsync(string work, string suite, IReadOnlyList<string> mirrors, Action<string> onLine, CancellationToken cancellationToken)
    {
        try
        {
            await new Sandbox("/nonexistent", Path.Combine(work, "tmp")).RunAsync("builder.sh", new Dictionary<string, string?>
            {
                ["OUT"] = work,
                ["SUITE"] = suite,
                ["PACKAGES"] = string.Join(',', Packages),
                ["MIRRORS"] = string.Join('\n', mirrors),
            }, onLine, cancellationToken);
        }
        catch (ToolFailure failure)
        {
            throw StageDiagnosis.Explain(Stage, suite, DebianArchitecture.Host, failure) ?? (Exception)failure;
        }
    }

    private static JsonObject Describe(LinuxSdk sdk, string suite) => new()
    {
        ["architecture"] = DebianArchitecture.Host,
        ["os"] = "linux",
        ["created"] = DateTimeOffset.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ"),
        ["config"] = new JsonObject
        {
            ["Env"] = new JsonArray([.. Variables.Select(variable => (JsonNode)variable)]),
            ["Labels"] = new JsonObject { [BuilderImage.Label] = BuilderImage.Format, ["io.appliance.builder.suite"] = suite, ["io.appliance.builder.sdk"] = sdk.Version },
            ["WorkingDir"] = "/work",
        },
    };
}
