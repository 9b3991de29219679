using Appliance.Core.Bundles;

namespace Appliance.UpdateClient.Install;

/// <summary>How a payload will be had: all ways there are, the cheapest first. The others are for when it fails.</summary>
public sealed record PayloadPlan(BundlePayload Payload, IReadOnlyList<PlannedWay> Ways);
