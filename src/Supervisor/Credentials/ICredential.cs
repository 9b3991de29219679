using Appliance.Core;

namespace Appliance.Supervisor.Credentials;

/// <summary>
/// Something by which the device is known, or knows others, and how it is changed. Every step may be interrupted anywhere and is then
/// done again; one that fails throws a <see cref="UserError"/> that says why, and everything is undone.
/// </summary>
internal interface ICredential
{
    /// <summary>What it is called: letters, digits, dots and dashes.</summary>
    string Name { get; }

    /// <summary>How long the old one stays at hand.</summary>
    TimeSpan Grace { get; }

    /// <summary>Credentials of one group are copied and brought back together: while one is under way, none of the others is changed. Null for one by itself.</summary>
    string? Group => null;

    /// <summary>Whether the device can make a new one by itself.</summary>
    bool CanRotate => true;

    /// <summary>Whether somebody can bring a new one.</summary>
    bool CanSet => false;

    /// <summary>Whether one that is brought is signed by somebody whom the image trusts: then it does not matter who brings it.</summary>
    bool IsSigned => false;

    /// <summary>The credential as it is used now; null where this device has none.</summary>
    CredentialFacts? Read();

    /// <summary>When there should be a new one; null for when somebody says so.</summary>
    DateTimeOffset? DueAt(CredentialFacts facts, RotationRecord record);

    /// <summary>Makes the new one.</summary>
    Task PrepareAsync(RotationWork work, CancellationToken cancellationToken);

    /// <summary>Puts it beside the old one, where there is room for both.</summary>
    Task InstallAsync(RotationWork work, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Tries it before anything depends on it.</summary>
    Task ProveAsync(RotationWork work, CancellationToken cancellationToken);

    /// <summary>Puts it into the old one's place, which is kept in the work's folder.</summary>
    Task SwitchAsync(RotationWork work, CancellationToken cancellationToken);

    /// <summary>Makes sure that what uses the credential works.</summary>
    Task ConfirmAsync(RotationWork work, CancellationToken cancellationToken);

    /// <summary>Brings the old one back, from wherever the rotation is.</summary>
    Task UndoAsync(RotationWork work, CancellationToken cancellationToken);

    /// <summary>Makes the old one useless. Its copy in the work's folder is removed afterwards.</summary>
    /// <exception cref="InvalidDataException">The new one is damaged: the old one is to come back.</exception>
    Task RetireAsync(RotationWork work, CancellationToken cancellationToken) => Task.CompletedTask;
}
