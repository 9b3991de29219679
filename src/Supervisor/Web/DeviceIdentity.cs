namespace Appliance.Supervisor.Web;

/// <summary>What the device is known by.</summary>
/// <param name="DeviceId">A number of its own, by which a staged rollout chooses: of the machine id, and not that itself (machine-id(5)).</param>
/// <param name="Image">The image it runs.</param>
/// <param name="Version">Its version.</param>
/// <param name="Board">The board that the image is for.</param>
/// <param name="CertificateFingerprint">SHA-256 of the page's certificate, in hexadecimal.</param>
/// <param name="CertificateUntil">The last moment of that certificate.</param>
internal sealed record DeviceIdentity(string DeviceId, string Image, string Version, string Board, string CertificateFingerprint, DateTimeOffset CertificateUntil);
