namespace Appliance.Supervisor.Credentials;

/// <summary>Where the rotation of a credential is. What a step does may be done again when the power goes in it.</summary>
internal enum RotationStep
{
    /// <summary>Nothing is under way, and the old one has gone.</summary>
    Idle,

    /// <summary>The new one is made.</summary>
    Preparing,

    /// <summary>The new one is put beside the old one, where there is room for both.</summary>
    Installing,

    /// <summary>The new one is tried.</summary>
    Proving,

    /// <summary>The new one takes the old one's place.</summary>
    Switching,

    /// <summary>What uses the credential must work.</summary>
    Confirming,

    /// <summary>It did not go well: the old one comes back.</summary>
    Undoing,

    /// <summary>The copies are removed of what is used no longer.</summary>
    Forgetting,

    /// <summary>The new one is used; the old one stays at hand for a while.</summary>
    Grace,
}
