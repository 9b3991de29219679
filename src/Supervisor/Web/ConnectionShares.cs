using System.Net;
using Appliance.Supervisor.Access;
using Microsoft.AspNetCore.Connections;

namespace Appliance.Supervisor.Web;

/// <summary>
/// Shares out connections: nobody takes all, and those of the device itself, whose health check looks at the page, come out of
/// their own share. A check that a stranger can make fail would be a version that a stranger can make the device give up.
/// </summary>
internal sealed class ConnectionShares
{
    /// <summary>Most connections of all others together, of one address (for IPv6 its /64 network), and of the device itself.</summary>
    public const int MostOfOthers = 100, MostOfOne = 25, MostOfDevice = 50;

    private readonly Lock _lock = new();
    private readonly Dictionary<IPAddress, int> _open = [];
    private int _others;

    /// <summary>Takes a connection on, or closes it at once.</summary>
    public async Task ServeAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var whose = Whose((connection.RemoteEndPoint as IPEndPoint)?.Address, (connection.LocalEndPoint as IPEndPoint)?.Address);
        if (!TryEnter(whose)) return;
        try
        {
            await next(connection);
        }
        finally
        {
            Leave(whose);
        }
    }

    /// <summary>To whom a connection counts. From the address it leads to it is the device's own: where the page listens at one address, its check comes from there.</summary>
    public static IPAddress Whose(IPAddress? remote, IPAddress? local) => remote is null ? IPAddress.None : remote.Equals(local) ? IPAddress.Loopback : RemoteNetwork.Of(remote);

    /// <summary>Counts one connection more of somebody; false when that is one too many.</summary>
    public bool TryEnter(IPAddress whose)
    {
        lock (_lock)
        {
            var local = IPAddress.IsLoopback(whose);
            var open = _open.GetValueOrDefault(whose);
            if (open >= (local ? MostOfDevice : MostOfOne) || (!local && _others >= MostOfOthers)) return false;
            _open[whose] = open + 1;
            if (!local) _others++;
            return true;
        }
    }

    /// <summary>One connection of somebody has ended.</summary>
    public void Leave(IPAddress whose)
    {
        lock (_lock)
        {
            if (--_open[whose] == 0) _open.Remove(whose);
            if (!IPAddress.IsLoopback(whose)) _others--;
        }
    }
}
