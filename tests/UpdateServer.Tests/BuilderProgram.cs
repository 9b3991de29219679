using System.Diagnostics;

namespace UpdateServer.Tests;

/// <summary>The program <c>appliance</c>, as people run it.</summary>
internal static class BuilderProgram
{
    /// <summary>Runs it, and gives what it said on both streams.</summary>
    public static async Task<(int ExitCode, string Said)> RunAsync(IEnumerable<string> arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "appliance"), arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output + await error);
    }
}
