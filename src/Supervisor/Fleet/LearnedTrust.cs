using System.Security.Cryptography;
using System.Text;

namespace Appliance.Supervisor.Fleet;

/// <summary>What the server itself has said that it is trusted by from now on, in place of what the image or the join says.</summary>
internal sealed record LearnedTrust
{
    /// <summary>SHA-256 of the certificates that the image or the join names: where those become others, this is over.</summary>
    public required string Instead { get; init; }

    /// <summary>Certificates (PEM).</summary>
    public required string Pem { get; init; }

    /// <summary>Certificates (PEM) from before, which hold until the new ones were proved, and for a while after that; null where they have gone.</summary>
    public string? Before { get; init; }

    /// <summary>Until when <see cref="Before"/> holds; null while the new ones have not been proved.</summary>
    public DateTimeOffset? BeforeUntil { get; init; }

    /// <summary>All that holds.</summary>
    public string All => Before is null ? Pem : $"{Pem}\n{Before}";

    /// <summary>Whether it is in place of this.</summary>
    public bool Replaces(string pem) => Instead == HashOf(pem);

    /// <summary>What is kept in <see cref="Instead"/>.</summary>
    /// <exception cref="Appliance.Core.UserError">They cannot be used.</exception>
    public static string HashOf(string pem) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(FleetServer.ParseTrust(pem).Pem)));
}
