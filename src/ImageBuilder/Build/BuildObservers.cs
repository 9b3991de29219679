namespace Appliance.ImageBuilder.Build;

/// <summary>Chooses how a build is shown.</summary>
internal static class BuildObservers
{
    /// <summary>JSON lines when asked for, a live table on a terminal, plain lines otherwise.</summary>
    public static IDisposableBuildObserver For(bool json) =>
        json ? new JsonBuildObserver(Console.Out)
        : Console.IsOutputRedirected || Environment.GetEnvironmentVariable("TERM") is null or "dumb" ? new PlainBuildObserver(Console.Out)
        : new TerminalBuildObserver();
}
