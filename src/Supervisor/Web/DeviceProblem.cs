namespace Appliance.Supervisor.Web;

/// <summary>An error as programs get it (RFC 9457).</summary>
/// <param name="Status">HTTP status code.</param>
/// <param name="Title">What is wrong.</param>
/// <param name="Detail">What to do, or null.</param>
internal sealed record DeviceProblem(int Status, string Title, string? Detail);
