using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Access;

/// <summary>Who did what.</summary>
internal sealed class AuditLog(FleetDatabase database)
{
    /// <summary>Entries, the newest first.</summary>
    /// <param name="before">Only those before this one; null for the newest.</param>
    /// <param name="take">At most so many.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public async Task<IReadOnlyList<AuditEntry>> ReadAsync(long? before, int take, CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        return await context.Audit.AsNoTracking().Where(entry => before == null || entry.Id < before).OrderByDescending(entry => entry.Id).Take(take).ToListAsync(cancellationToken);
    }
}
