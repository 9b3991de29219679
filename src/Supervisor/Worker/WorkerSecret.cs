namespace Appliance.Supervisor.Worker;

/// <summary>A secret on its way between daemon and worker.</summary>
/// <param name="Name">What it is used for (<see cref="Secrets.SecretName"/>).</param>
internal sealed record WorkerSecret(string Name)
{
    /// <summary>The secret itself.</summary>
    public byte[]? Plain { get; init; }

    /// <summary>The secret, sealed.</summary>
    public string? Sealed { get; init; }

    /// <summary>Why it cannot be unsealed, now or later (<see cref="Secrets.SecretLostException"/>).</summary>
    public string? Lost { get; init; }

    /// <inheritdoc/>
    public override string ToString() => "***";
}
