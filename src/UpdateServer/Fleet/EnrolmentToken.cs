namespace Appliance.UpdateServer.Fleet;

/// <summary>Lets devices that the server does not know yet become part of the fleet.</summary>
internal sealed class EnrolmentToken
{
    /// <summary>Number of the row; part of the token.</summary>
    public long Id { get; set; }

    /// <summary>What it is for.</summary>
    public required string Name { get; set; }

    /// <summary>SHA-256 of the secret part.</summary>
    public required byte[] Hash { get; set; }

    /// <summary>How many more devices it lets in.</summary>
    public int UsesLeft { get; set; }

    /// <summary>When it ends.</summary>
    public DateTimeOffset ExpiresAt { get; set; }
}
