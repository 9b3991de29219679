using Appliance.Core.Releases;
using Appliance.Core.Tuf;

namespace Appliance.UpdateClient.Install;

/// <summary>The result of a check.</summary>
/// <param name="Verdict">What was found.</param>
/// <param name="Offer">The version in question, or null when there is none.</param>
/// <param name="Target">Its release document, for those that are available.</param>
public sealed record UpdateCheck(UpdateVerdict Verdict, ReleaseOffer? Offer, TargetFile? Target);
