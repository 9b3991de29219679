namespace Appliance.Core.Tuf;

/// <summary>One signature of an envelope: the id of the key that made it, and its bytes.</summary>
public sealed record TufSignature(string KeyId, ReadOnlyMemory<byte> Value);
