using System.ComponentModel;
using System.Diagnostics;
using Appliance.Core;

namespace Appliance.UpdateClient.Install;

/// <summary>Runs sfdisk, within a limit of time.</summary>
internal static class Sfdisk
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>Runs it to its end and gives its exit code and what it said.</summary>
    /// <exception cref="UserError">There is no sfdisk.</exception>
    public static async Task<(int ExitCode, string Output, string Errors)> RunAsync(IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo("sfdisk", arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true },
        };
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            throw new UserError($"sfdisk cannot be started: {e.Message}", "The package fdisk has to be in the image.", e);
        }
        process.StandardInput.Close();
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var errors = await process.StandardError.ReadToEndAsync(limit.Token);
            var text = await output;
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, text, errors.Trim());
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            cancellationToken.ThrowIfCancellationRequested();
            throw new TimeoutException($"sfdisk did not end within {Limit.TotalSeconds:0} s");
        }
    }
}
