namespace Appliance.UpdateServer.Ddi;

/// <summary>What a device says of itself (DDI, <c>…/configData</c>).</summary>
/// <param name="Mode"><c>merge</c> (also when it is left out), <c>replace</c> or <c>remove</c>.</param>
/// <param name="Data">The attributes.</param>
internal sealed record ConfigData(string? Mode, IReadOnlyDictionary<string, string?>? Data);
