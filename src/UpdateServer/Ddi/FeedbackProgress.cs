namespace Appliance.UpdateServer.Ddi;

/// <summary>How far a device is.</summary>
/// <param name="Cnt">Steps done.</param>
/// <param name="Of">Steps in all; 0 when unknown.</param>
internal sealed record FeedbackProgress(int Cnt, int Of);
