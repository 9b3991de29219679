using System.Net;
using System.Security.Cryptography.X509Certificates;
using Appliance.Core.Access;
using Serilog;

namespace Appliance.Supervisor.Access;

/// <summary>Logging in with a certificate of the image's client authority.</summary>
internal sealed class ClientLogIn(ClientAuthority? authority, OwnerAccess access, TimeProvider time)
{
    /// <summary>Reads the authority of an image. One that cannot be used lets nobody in, and keeps nobody out.</summary>
    public static ClientAuthority? ReadAuthority(string root)
    {
        var path = Path.Join(root, ClientAuthority.FilePath);
        try
        {
            return File.Exists(path) ? ClientAuthority.Parse(File.ReadAllText(path)) : null;
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            Log.Error("The client authority {Path} cannot be used: {Reason}", path, e.Message);
            return null;
        }
    }

    /// <summary>Whose certificate it is, when it would log in.</summary>
    public string? NameOf(X509Certificate2? certificate) => certificate is not null && Fault(certificate) is null ? Name(certificate) : null;

    /// <summary>Logs in.</summary>
    /// <param name="certificate">The certificate that the connection was made with.</param>
    /// <param name="from">Where the connection comes from.</param>
    /// <param name="fault">What is wrong with it.</param>
    public LogIn Begin(X509Certificate2 certificate, IPAddress from, out string? fault)
    {
        fault = null;
        if (!access.TryAttempt(from)) return LogIn.Later;
        return (fault = Fault(certificate)) is null ? access.LogInWithCertificate(Name(certificate), certificate.NotAfter) : LogIn.Wrong;
    }

    private string? Fault(X509Certificate2 certificate) => authority is null ? "the device has no client authority" : authority.Fault(certificate, time.GetUtcNow());

    /// <summary>The common name, as it may stand in a line of the journal.</summary>
    private static string Name(X509Certificate2 certificate) => string.Concat(certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false).Where(character => !char.IsControl(character))) is { Length: > 0 } name ? name : certificate.SerialNumber;
}
