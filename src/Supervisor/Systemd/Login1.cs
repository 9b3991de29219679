using Appliance.Supervisor.Bus;

namespace Appliance.Supervisor.Systemd;

/// <summary>The part of <c>org.freedesktop.login1.Manager</c> that restarting needs; it only translates.</summary>
internal sealed class Login1(BusConnection bus)
{
    private const string Service = "org.freedesktop.login1", Manager = "/org/freedesktop/login1", Interface = "org.freedesktop.login1.Manager";
    private const ulong RootChecksInhibitors = 1; // SD_LOGIND_ROOT_CHECK_INHIBITORS

    /// <summary>Those who block a shutdown (systemd-inhibit --mode=block), in words.</summary>
    public async Task<IReadOnlyList<string>> ListShutdownBlocksAsync()
    {
        var locks = (List<object>)(await bus.CallAsync(Service, Manager, Interface, "ListInhibitors"))[0];
        return locks.Select(entry => (object[])entry)
            .Where(entry => ((string)entry[0]).Split(':').Contains("shutdown") && ((string)entry[3]).StartsWith("block", StringComparison.Ordinal))
            .Select(entry => $"{entry[1]}: {entry[2]}").ToList();
    }

    /// <summary>Restarts the machine in good order.</summary>
    /// <param name="force">True although somebody blocks it.</param>
    /// <exception cref="BusException">login1 refuses.</exception>
    public Task RebootAsync(bool force) =>
        force ? bus.CallAsync(Service, Manager, Interface, "RebootWithFlags", "t", 0ul) : bus.CallAsync(Service, Manager, Interface, "RebootWithFlags", "t", RootChecksInhibitors);
}
