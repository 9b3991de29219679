using Appliance.Supervisor.Device;

namespace Appliance.Supervisor.Boot;

/// <summary>
/// A boot on trial ends in good order. Unless that is our own verdict, the try that the boot loader counted is given back: an
/// operator who reboots says nothing about the version.
/// </summary>
internal static class TrialShutdown
{
    /// <summary>Present once this boot was given up; <c>appliance-trial-failed.service</c> makes it.</summary>
    public const string FailedMark = "run/appliance/trial-failed";

    /// <summary>The verb <c>give-back-try</c>: gives the try back if it is owed, and says what it did.</summary>
    /// <returns>The exit code, always 0: the machine shuts down all the same.</returns>
    public static async Task<int> RunAsync(string root, TextWriter output, CancellationToken cancellationToken)
    {
        var reason = WhyNot(root) ?? await GiveBackAsync(root, cancellationToken);
        await output.WriteLineAsync(reason is null ? "A shutdown in good order is no failed try: the version on trial has as many as before it." : $"The try is not given back: {reason}.");
        return 0;
    }

    /// <summary>Why a try is not owed, before the boot control is asked; null when it may be.</summary>
    public static string? WhyNot(string root)
    {
        if (!TrybootControl.IsHere(root) && BootCount.Read(root) is null) return "the boot loader does not count this boot";
        if (File.Exists(Path.Combine(root, FailedMark))) return "this boot was given up";
        // A version that reboots by itself, in good order, must come to the end of its tries, too. With tryboot the boot control
        // counts, since the initrd does not.
        return BootRow.TryRead(root) is { Boots: >= BootRow.Limit } row && row.RootHash == DeviceFacts.ReadRootHash(root) ? $"it was started {row.Boots} times in a row and did not stay up" : null;
    }

    private static async Task<string?> GiveBackAsync(string root, CancellationToken cancellationToken)
    {
        var control = await BootScheme.OpenAsync(root, cancellationToken);
        using var owned = control as IDisposable;
        return await control.GiveBackTryAsync(cancellationToken);
    }
}
