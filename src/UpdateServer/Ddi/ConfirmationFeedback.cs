namespace Appliance.UpdateServer.Ddi;

/// <summary>What somebody at the device said to an assignment.</summary>
/// <param name="Confirmation"><c>confirmed</c> or <c>denied</c>.</param>
/// <param name="Details">More, in words.</param>
internal sealed record ConfirmationFeedback(string? Confirmation, IReadOnlyList<string>? Details);
