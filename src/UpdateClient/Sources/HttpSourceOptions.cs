using System.Net.Http.Headers;

namespace Appliance.UpdateClient.Sources;

/// <summary>How a web server is talked to.</summary>
public sealed record HttpSourceOptions
{
    /// <summary>Proxy to use, with user and password in the URL where it wants them; null takes the one of the environment (<c>https_proxy</c>, <c>no_proxy</c>, …).</summary>
    public Uri? Proxy { get; init; }

    /// <summary>Most bytes a second, or null for as many as come.</summary>
    public long? BytesPerSecond { get; init; }

    /// <summary>Requests under way at once.</summary>
    public int Connections { get; init; } = 6;

    /// <summary>Most bytes that are asked for and not yet taken.</summary>
    public int Window { get; init; } = 8 << 20;

    /// <summary>Tries in a row that may bring nothing before the source gives up.</summary>
    public int Tries { get; init; } = 8;

    /// <summary>Pause after the first failed try; it doubles with every further one, and every pause is drawn at random up to that.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest pause between tries, a server's Retry-After included.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>A connection that brings less than a KiB in this time is given up.</summary>
    public TimeSpan StallLimit { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest time a whole small file (metadata) may take, against servers that trickle.</summary>
    public TimeSpan SmallFileLimit { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>Clock for pauses and limits.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>What proves to the server who asks; it is not shown to another one that the server sends the client to.</summary>
    public AuthenticationHeaderValue? Authorization { get; init; }

    /// <summary>Sets up what is special about the connection, e.g. a client certificate; may be null.</summary>
    public Action<SocketsHttpHandler>? Configure { get; init; }
}
