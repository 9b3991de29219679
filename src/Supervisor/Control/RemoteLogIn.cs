using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Appliance.Core;
using Appliance.Core.Access;

namespace Appliance.Supervisor.Control;

/// <summary>Logs in at another device and keeps the log-in, and the fingerprint of the device's certificate, for the commands that follow.</summary>
internal sealed class RemoteLogIn(DeviceAddress address, KnownDevices known)
{
    /// <summary>SHA-256 of the device's certificate, as its console shows it; else a certificate that is not trusted is asked about.</summary>
    public string? Fingerprint { get; init; }

    /// <summary>File whose first line is the password, or null to ask.</summary>
    public string? PasswordFile { get; init; }

    /// <summary>PEM file with a certificate and its key, to log in without a password.</summary>
    public string? Certificate { get; init; }

    /// <summary>Logs in.</summary>
    /// <returns>Until when.</returns>
    /// <exception cref="UserError">The device refused, or its certificate is not trusted.</exception>
    public async Task<DateTimeOffset> RunAsync()
    {
        using var certificate = Certificate is null ? null : ReadCertificate(Certificate);
        var fingerprint = await FindOutAsync();
        using var connection = new DeviceConnection(address, fingerprint, certificate);
        var secret = certificate is null ? Secret($"Password of {address.Named}: ") : null;
        var session = await connection.PostAsync("api/v1/session", ("secret", secret));
        var (token, until) = ((string)session!["token"]!, (DateTimeOffset)session["until"]!);
        if ((bool)session["setup"]!) await SetPasswordAsync(connection, token, secret);
        known.Keep(address, new KnownDevice(fingerprint, token, until));
        return until;
    }

    /// <summary>Ends the log-in, here and on the device.</summary>
    public async Task EndAsync()
    {
        using var connection = known.Connect(address);
        await connection.PostAsync("api/v1/logout");
        known.Forget(address);
    }

    /// <summary>The fingerprint that is to be shown from now on; null when this machine trusts the certificate anyway.</summary>
    private async Task<string?> FindOutAsync()
    {
        if (Fingerprint is not null) return Plain(Fingerprint);
        if (known.Find(address)?.Fingerprint is { } before) return before;
        using var connection = new DeviceConnection(address);
        try
        {
            await connection.GetAsync("api/v1/health");
            return null;
        }
        catch (UserError) when (connection.Shown is { } shown && !Console.IsInputRedirected)
        {
            Console.Error.WriteLine($"The certificate of {address.Named} is not one that this machine trusts. Its SHA-256 fingerprint is\n  {shown}\nThe device's console shows the right one. Is it the same (yes/no)?");
            return Console.ReadLine()?.Trim() is "yes" or "y" ? shown : throw new UserError("The certificate is not trusted.", "Look at the device's console again.");
        }
    }

    private string Secret(string question)
    {
        if (PasswordFile is null) return Console.IsInputRedirected ? throw new UserError("The password is not known.", "Give --password-file, or run this in a terminal.") : HiddenLine.Read(question);
        try
        {
            using var reader = new StreamReader(PasswordFile);
            return reader.ReadLine() ?? "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{PasswordFile} cannot be read: {e.Message}", "Name the file that holds the password.", e);
        }
    }

    /// <summary>A setup code, or a password that has ended, is good for setting a password, and for nothing else.</summary>
    private async Task SetPasswordAsync(DeviceConnection connection, string token, string? present)
    {
        if (Console.IsInputRedirected) throw new UserError("That was the setup code, or a password that has ended: the device wants a new one.", $"Set one at {address.Url}login, or run this in a terminal.");
        var password = HiddenLine.Read("That was the setup code, or a password that has ended. New password of the device: ");
        if (HiddenLine.Read("Once more: ") != password) throw new UserError("The two passwords differ.", "Run the command again.");
        connection.Use(token);
        await connection.PostAsync("api/v1/password", ("password", password), ("present", present));
    }

    private static X509Certificate2 ReadCertificate(string path)
    {
        try
        {
            return PemCertificate.Load(File.ReadAllText(path));
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{path} holds no certificate with its key: {e.Message}", "Name a PEM file with both.", e);
        }
    }

    private static string Plain(string fingerprint)
    {
        var plain = fingerprint.Replace(":", "", StringComparison.Ordinal).ToLowerInvariant();
        return plain.Length == 2 * SHA256.HashSizeInBytes && plain.All(char.IsAsciiHexDigit) ? plain : throw new UserError($"\"{fingerprint}\" is no SHA-256 fingerprint.", "It has 64 hexadecimal digits, with or without colons.");
    }
}
