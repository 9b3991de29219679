using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Appliance.SystemTests;

/// <summary>The clone under test: what ./build.sh made, and the command line to make more.</summary>
internal static class Product
{
    /// <summary>Root of the clone.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The stage cache that ./build.sh filled.</summary>
    public static string Cache => Path.Combine(Root, "out", "cache");

    /// <summary>The default image's folder.</summary>
    public static string Image { get; } = Environment.GetEnvironmentVariable("APPLIANCE_IMAGE") ?? FindImage();

    /// <summary>Where serial logs of failed tests are kept.</summary>
    public static string Logs { get; } = Directory.CreateDirectory(Path.Combine(Root, "out", "test-logs")).FullName;

    /// <summary>Runs out/bin/appliance and gives its exit code, standard output and standard error.</summary>
    public static async Task<(int ExitCode, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await errors);
    }

    /// <summary>Runs out/bin/appliance, which must succeed.</summary>
    public static async Task SucceedAsync(params string[] arguments)
    {
        var (exitCode, output, errors) = await RunAsync(arguments);
        Assert.True(exitCode == 0, $"appliance {string.Join(' ', arguments)}: exit code {exitCode}\n{output}\n{errors}");
    }

    /// <summary>The folder of a stage in the cache.</summary>
    /// <param name="record"><c>build.json</c> of an image.</param>
    /// <param name="name">The stage.</param>
    public static string Stage(JsonNode record, string name) => Path.Combine(Cache, $"{name}-{((string)record["stages"]![name]!["key"]!)[..16]}");

    /// <summary>Starts out/bin/appliance as a terminal does: tests that run in the background inherit that Ctrl-C is ignored.</summary>
    public static Process Start(params string[] arguments) =>
        Process.Start(new ProcessStartInfo("env", ["--default-signal=INT", Path.Combine(Root, "out", "bin", "appliance"), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Root })!;

    /// <summary>A stage of a --json build: "cached", "done" or "failed".</summary>
    public static Dictionary<string, string> Stages(string jsonLines) =>
        jsonLines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)
            .Where(e => (string?)e["event"] == "stage" && (string?)e["state"] != "started")
            .ToDictionary(e => (string)e["stage"]!, e => (string)e["state"]!);

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "build.sh"))) return folder.FullName;
        throw new InvalidOperationException("the tests do not run inside a clone");
    }

    private static string FindImage() =>
        Directory.EnumerateFiles(Path.Combine(Root, "out"), "build.json", SearchOption.AllDirectories)
            .Where(path => Path.GetFileName(Path.GetDirectoryName(path)!).StartsWith("appliance_", StringComparison.Ordinal))
            .OrderByDescending(File.GetLastWriteTimeUtc).Select(path => Path.GetDirectoryName(path)!).FirstOrDefault()
        ?? throw new InvalidOperationException("there is no image: run ./build.sh first");
}
