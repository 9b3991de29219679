namespace Appliance.Core.Tuf;

/// <summary>Where a publisher's signers come from.</summary>
public interface ISignerSource
{
    /// <summary>All signers at hand that were made for <paramref name="role"/>; whether the role lists them is not this one's matter.</summary>
    IReadOnlyList<ITufSigner> SignersFor(string role);
}
