namespace Appliance.Core.Updates;

/// <summary>The times of the week at which a device may do by itself what disturbs; without any, at any time.</summary>
/// <param name="texts">The windows as <see cref="MaintenanceWindow"/> reads them; what is none counts for nothing.</param>
public sealed class MaintenanceWindows(IEnumerable<string> texts)
{
    private readonly List<MaintenanceWindow> _all = texts.Select(MaintenanceWindow.TryParse).OfType<MaintenanceWindow>().ToList();

    /// <summary>Whether one is open at a moment of the device's local time.</summary>
    public bool AreOpen(DateTime local) => _all.Count == 0 || _all.Any(window => window.Contains(local));

    /// <summary>When one opens next: the moment itself while one is open.</summary>
    public DateTime NextOpening(DateTime local) => _all.Count == 0 ? local : _all.Min(window => window.NextOpening(local));
}
