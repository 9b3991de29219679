namespace Appliance.UpdateClient.Install;

/// <summary>How far an update is.</summary>
/// <param name="Phase">What is being done.</param>
/// <param name="Done">Bytes of the payloads that are written.</param>
/// <param name="Total">Bytes of the payloads.</param>
/// <param name="Downloaded">Bytes read from the repository since the beginning of this run.</param>
/// <param name="BytesPerSecond">Rate at which <paramref name="Done"/> grows.</param>
/// <param name="TimeLeft">How long it will take at this rate, or null when that cannot be told.</param>
public sealed record UpdateProgress(UpdatePhase Phase, long Done, long Total, long Downloaded, long BytesPerSecond, TimeSpan? TimeLeft);
