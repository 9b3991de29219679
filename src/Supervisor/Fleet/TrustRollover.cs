using Appliance.Core;
using Appliance.Core.Fleet;
using Appliance.Supervisor.Device;
using Serilog;

namespace Appliance.Supervisor.Fleet;

/// <summary>
/// Follows the authority of the fleet's server from one to the next: the server, trusted by the old one, says which there are to be, as
/// RFC 7030 (4.1.3) has it. Both hold until a connection was made that trusts the new ones alone, and for a while after that. Each step is
/// one write of the membership.
/// </summary>
/// <param name="file">The membership.</param>
/// <param name="stated">What the image or the join says that the server of a membership is trusted by; null for what the system trusts, which is the image's to change.</param>
/// <param name="open">Makes the server of a membership.</param>
/// <param name="time">Clock.</param>
internal sealed class TrustRollover(FleetMembershipFile file, Func<FleetMembership, string?> stated, Func<FleetMembership, FleetServer?> open, DeviceClock time)
{
    /// <summary>How long the ones before hold once the new ones were proved: servers behind one address change theirs one after the other.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromDays(7);

    private const int LargestAnswer = 64 << 10, LargestTrust = 256 << 10;
    private static readonly TimeSpan Pace = TimeSpan.FromHours(12);

    private readonly long _start = time.GetTimestamp();
    private TimeSpan _next;

    /// <summary>The membership as it came to be on the disk, also where the last advance failed on its way.</summary>
    public FleetMembership? Reached { get; private set; }

    /// <summary>Asks anew at the next occasion.</summary>
    public void Reset() => _next = TimeSpan.Zero;

    /// <summary>Does what is due.</summary>
    /// <param name="membership">The membership; its server answers.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>The membership as it is then.</returns>
    /// <exception cref="UserError">It cannot be written, or what the server says is no certificate; what held before holds.</exception>
    /// <exception cref="DdiException">The server does not say.</exception>
    public async Task<FleetMembership> AdvanceAsync(FleetMembership membership, CancellationToken cancellationToken)
    {
        Reached = membership;
        if (time.GetElapsedTime(_start) < _next || stated(membership) is not { } own || open(membership) is not { } server || server.Address.Scheme != Uri.UriSchemeHttps) return membership;
        _next = time.GetElapsedTime(_start) + Pace;
        var held = membership.Learned is { } learned && learned.Replaces(own) ? learned : null;
        if (held is { Before: not null, BeforeUntil: { } end } && time.IsSet && time.GetUtcNow() >= end) membership = await NoteAsync(membership, held = held with { Before = null, BeforeUntil = null }, cancellationToken);
        // Who is on the way out does not name who comes.
        if (held is { BeforeUntil: not null } or { Before: null }) server = server.Trusting(held.Pem);
        if (await AskAsync(server, cancellationToken) is not { } said) return membership;
        var next = FleetServer.ParseTrust(said).Pem;
        if (next == FleetServer.ParseTrust(held?.Pem ?? own).Pem)
        {
            if (held is not { Before: not null, BeforeUntil: null } || !await IsProvedAsync(server.Trusting(next), cancellationToken)) return membership;
            Log.Information("The fleet's server is trusted by {Authorities} now; what was before holds until {Until}", FleetServer.ParseTrust(next).Names, time.GetUtcNow() + Grace);
            return await NoteAsync(membership, held with { BeforeUntil = time.GetUtcNow() + Grace }, cancellationToken);
        }
        var proved = await IsProvedAsync(server.Trusting(next), cancellationToken);
        Log.Information("The fleet's server is to be trusted by {Authorities}{Proved}", FleetServer.ParseTrust(next).Names, proved ? "" : ", beside what was before until it shows that");
        var before = FleetServer.ParseTrust(held?.All ?? own).Pem;
        if (before.Length > LargestTrust) throw new UserError("The fleet's server names ever more authorities and shows none of them.", "Look into its --server-trust.");
        return await NoteAsync(membership, new LearnedTrust { Instead = LearnedTrust.HashOf(own), Pem = next, Before = before, BeforeUntil = proved ? time.GetUtcNow() + Grace : null }, cancellationToken);
    }

    /// <summary>What the server says; null from one that says nothing of it.</summary>
    private static async Task<string?> AskAsync(FleetServer server, CancellationToken cancellationToken)
    {
        try
        {
            return await GetAsync(server, cancellationToken);
        }
        catch (DdiException e) when (e.Fault is DdiFault.Gone or DdiFault.Rejected)
        {
            return null;
        }
    }

    /// <summary>Whether the server shows a certificate that is trusted, whatever it answers then.</summary>
    private static async Task<bool> IsProvedAsync(FleetServer server, CancellationToken cancellationToken)
    {
        try
        {
            await GetAsync(server, cancellationToken);
            return true;
        }
        catch (DdiException e)
        {
            return e.InnerException is null;
        }
    }

    private static async Task<string> GetAsync(FleetServer server, CancellationToken cancellationToken)
    {
        using var http = server.CreateClient(LargestAnswer, withToken: false);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.Address, ServerTrust.RolloverPath));
        using var answer = await DdiClient.AnswerAsync(http, request, HttpCompletionOption.ResponseContentRead, cancellationToken);
        return await answer.Content.ReadAsStringAsync(cancellationToken);
    }

    private async Task<FleetMembership> NoteAsync(FleetMembership membership, LearnedTrust learned, CancellationToken cancellationToken)
    {
        var next = membership with { Learned = learned };
        await file.WriteAsync(next, cancellationToken);
        return Reached = next;
    }
}
