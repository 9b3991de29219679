using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Fleet;

namespace Appliance.UpdateServer.Pages;

/// <summary>Who looks at the page of this request.</summary>
internal sealed class PageVisitor
{
    /// <summary>The key that somebody has logged in with; null for a stranger.</summary>
    public ApiKey? Key { get; set; }

    /// <summary>Ends the making of the page, when the visitor does not wait for it any longer.</summary>
    public CancellationToken Stop { get; set; }

    /// <summary>Whether the visitor may do what a role may.</summary>
    public bool May(Role role) => Key?.Role >= role;
}
