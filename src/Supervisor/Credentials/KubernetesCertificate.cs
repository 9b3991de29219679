namespace Appliance.Supervisor.Credentials;

/// <summary>A certificate that k3s has made.</summary>
/// <param name="Thumbprint">By what it is told from others.</param>
/// <param name="WrittenAt">When k3s wrote it: its own beginning is its authority's.</param>
/// <param name="Until">Until when it holds.</param>
internal sealed record KubernetesCertificate(string Thumbprint, DateTimeOffset WrittenAt, DateTimeOffset Until);
