namespace Appliance.ImageBuilder.Tools;

/// <summary>Work was interrupted where it cannot leave everything as it was; the message says what is left.</summary>
internal sealed class InterruptedHalfway(string message, CancellationToken cancellationToken) : OperationCanceledException(message, cancellationToken);
