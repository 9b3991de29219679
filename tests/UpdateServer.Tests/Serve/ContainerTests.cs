using System.Diagnostics;

namespace UpdateServer.Tests.Serve;

/// <summary>The Containerfile, built and run by Debian's podman on a tree of trixie, for base images come from registries that are not reached here.</summary>
public sealed class ContainerTests
{
    private const string Name = "appliance-server-test";

    // Where the tests run, a container may not ask for more than its host has.
    private static readonly string[] Podman = ["--runtime", "runc", "--cgroup-manager", "cgroupfs", "--storage-driver", "vfs"];

    [Fact(Explicit = true)]
    public async Task TheContainer_Serves_AndEndsInGoodOrder()
    {
        var folder = Directory.CreateTempSubdirectory("container").FullName;
        var (tree, server) = (Path.Combine(folder, "base.tar"), Path.Combine(folder, "server"));
        await RunAsync("mmdebstrap", "--variant=minbase", "--include=ca-certificates", "trixie", tree);
        await RunAsync("dotnet", "publish", Path.Combine(Repository.Folder, "src/UpdateServer"), "--configuration", "Release", "--use-current-runtime", "--self-contained", "--output", server, "--disable-build-servers");
        await RunAsync("podman", [.. Podman, "import", tree, $"localhost/{Name}-base"]);
        await RunAsync("podman", [.. Podman, "build", "--network", "host", "--isolation", "chroot", "--build-arg", $"BASE=localhost/{Name}-base", "--file", Path.Combine(server, "deploy/Containerfile"), "--tag", Name, server]);
        await RunAsync("podman", [.. Podman, "run", "--detach", "--replace", "--name", Name, "--network", "host", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096", Name, "serve", "--repo", "/srv/updates", "--listen", "https://127.0.0.1:18443"]);
        try
        {
            using var http = new HttpClient(new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true }) { BaseAddress = new Uri("https://127.0.0.1:18443") };
            await Eventually.IsTrueAsync(async () => await AnswersAsync(http), "the server");
            Assert.Contains("Log in", await http.GetStringAsync("/login", TestContext.Current.CancellationToken), StringComparison.Ordinal);
            Assert.StartsWith("apk_1_", await RunAsync("podman", [.. Podman, "exec", Name, "/opt/appliance-server/appliance-server", "key", "anna"]), StringComparison.Ordinal);
            Assert.StartsWith("uid=10001", await RunAsync("podman", [.. Podman, "exec", Name, "id"]), StringComparison.Ordinal);

            await RunAsync("podman", [.. Podman, "stop", "--time", "60", Name]);
            Assert.Equal("0\n", await RunAsync("podman", [.. Podman, "inspect", "--format", "{{.State.ExitCode}}", Name]));
        }
        finally
        {
            await RunAsync("podman", [.. Podman, "rm", "--force", Name]);
            await RunAsync("podman", [.. Podman, "rmi", "--force", Name, $"localhost/{Name}-base"]);
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<bool> AnswersAsync(HttpClient http)
    {
        try
        {
            return await http.GetStringAsync("/healthz") == "ok";
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: exit code {process.ExitCode}\n{await output}{await error}");
        return await output;
    }
}
