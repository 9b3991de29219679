namespace Appliance.Supervisor.Fleet;

/// <summary>The membership as it lies on the disk: in clear what is no secret, and what is, sealed as one.</summary>
internal sealed record FleetMembershipRecord
{
    /// <summary>Format version of the file.</summary>
    public required int Format { get; init; }

    /// <inheritdoc cref="FleetMembership.Server"/>
    public string? Server { get; init; }

    /// <inheritdoc cref="FleetMembership.Tenant"/>
    public string? Tenant { get; init; }

    /// <inheritdoc cref="FleetMembership.Trust"/>
    public string? Trust { get; init; }

    /// <inheritdoc cref="FleetMembership.Learned"/>
    public LearnedTrust? Learned { get; init; }

    /// <inheritdoc cref="FleetMembership.DeviceId"/>
    public string? DeviceId { get; init; }

    /// <inheritdoc cref="FleetMembership.IsFactorys"/>
    public bool IsFactorys { get; init; }

    /// <inheritdoc cref="FleetMembership.IsGateways"/>
    public bool IsGateways { get; init; }

    /// <inheritdoc cref="FleetMembership.PreviousUntil"/>
    public DateTimeOffset? PreviousUntil { get; init; }

    /// <inheritdoc cref="FleetMembership.IsPreviousFactorys"/>
    public bool IsPreviousFactorys { get; init; }

    /// <inheritdoc cref="FleetMembership.IsPreviousNewer"/>
    public bool IsPreviousNewer { get; init; }

    /// <inheritdoc cref="FleetMembership.Wish"/>
    public CertificateWish Wish { get; init; }

    /// <summary><see cref="FleetSecrets"/>, sealed as <see cref="Secrets.SecretName.Fleet"/>.</summary>
    public string? Sealed { get; init; }

    /// <summary>A membership whose secrets are sealed.</summary>
    public static FleetMembershipRecord Of(FleetMembership membership, string sealedSecrets) => new()
    {
        Format = FleetMembershipFile.CurrentFormat,
        Server = membership.Server,
        Tenant = membership.Tenant,
        Trust = membership.Trust,
        Learned = membership.Learned,
        DeviceId = membership.DeviceId,
        IsFactorys = membership.IsFactorys,
        IsGateways = membership.IsGateways,
        PreviousUntil = membership.PreviousUntil,
        IsPreviousFactorys = membership.IsPreviousFactorys,
        IsPreviousNewer = membership.IsPreviousNewer,
        Wish = membership.Wish,
        Sealed = sealedSecrets,
    };

    /// <summary>The membership with the secrets that were sealed.</summary>
    public FleetMembership With(FleetSecrets secrets) => new()
    {
        Server = Server,
        Tenant = Tenant,
        Trust = Trust,
        Learned = Learned,
        DeviceId = DeviceId,
        IsFactorys = IsFactorys,
        IsGateways = IsGateways,
        PreviousUntil = PreviousUntil,
        IsPreviousFactorys = IsPreviousFactorys,
        IsPreviousNewer = IsPreviousNewer,
        Wish = Wish,
        EnrolmentToken = secrets.EnrolmentToken,
        Token = secrets.Token,
        Certificate = secrets.Certificate,
        Next = secrets.Next,
        Previous = secrets.Previous,
    };
}

/// <summary>What of a membership is secret.</summary>
/// <param name="EnrolmentToken"><see cref="FleetMembership.EnrolmentToken"/>.</param>
/// <param name="Token"><see cref="FleetMembership.Token"/>.</param>
/// <param name="Certificate"><see cref="FleetMembership.Certificate"/>; a key stays with its certificate.</param>
/// <param name="Next"><see cref="FleetMembership.Next"/>.</param>
/// <param name="Previous"><see cref="FleetMembership.Previous"/>.</param>
internal sealed record FleetSecrets(string? EnrolmentToken, string? Token, DeviceCredential? Certificate, DeviceCredential? Next, DeviceCredential? Previous)
{
    /// <summary>None, or none that are known.</summary>
    public static FleetSecrets None { get; } = new(null, null, null, null, null);

    /// <summary>Those of a membership.</summary>
    public static FleetSecrets Of(FleetMembership membership) => new(membership.EnrolmentToken, membership.Token, membership.Certificate, membership.Next, membership.Previous);

    /// <inheritdoc/>
    public override string ToString() => "***";
}
