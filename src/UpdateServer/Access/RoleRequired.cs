namespace Appliance.UpdateServer.Access;

/// <summary>What a key must be allowed to do: metadata of an endpoint.</summary>
/// <param name="Role">The least role.</param>
internal sealed record RoleRequired(Role Role);
