namespace Appliance.UpdateServer.Fleet;

/// <summary>What somebody asks for is not there.</summary>
/// <param name="what">What is not: <c>device edge-7</c>.</param>
internal sealed class MissingException(string what) : Exception($"There is no {what}.");
