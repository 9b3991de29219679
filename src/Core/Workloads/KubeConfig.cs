using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Appliance.Core.Yaml;
using YamlDotNet.RepresentationModel;

namespace Appliance.Core.Workloads;

/// <summary>How to reach a cluster and who to be there: the current context of a kubeconfig file, as k3s and kubectl write it.</summary>
public sealed record KubeConfig
{
    private const string Expected = "a kubeconfig with clusters, users and a current-context";

    /// <summary>Address of the API server.</summary>
    public required Uri Server { get; init; }

    /// <summary>The authority that its certificate is signed by; null for those that the system trusts.</summary>
    public string? AuthorityPem { get; init; }

    /// <summary>The client's certificate, or null.</summary>
    public string? ClientCertificatePem { get; init; }

    /// <summary>The key of that certificate. A secret.</summary>
    public string? ClientKeyPem { get; init; }

    /// <summary>A bearer token, or null. A secret.</summary>
    public string? Token { get; init; }

    /// <summary>Reads a file. k3s writes it anew when its certificates change, so it is read for every use.</summary>
    /// <exception cref="UserError">There is none, or it is not one.</exception>
    public static KubeConfig Read(string path)
    {
        var source = YamlSource.Load(path, Expected, "k3s writes it when its server is up; `systemctl status k3s` says whether it is.");
        var name = Text(source.Root, "current-context") ?? throw Missing("current-context");
        var context = Named("contexts", name, "context");
        var cluster = Named("clusters", Text(context, "cluster") ?? "", "cluster");
        var user = Named("users", Text(context, "user") ?? "", "user");
        if (!Uri.TryCreate(Text(cluster, "server"), UriKind.Absolute, out var server) || server.Scheme is not ("https" or "http")) throw Missing("an http or https address in server");
        return new KubeConfig
        {
            Server = server,
            AuthorityPem = Pem(cluster, "certificate-authority"),
            ClientCertificatePem = Pem(user, "client-certificate"),
            ClientKeyPem = Pem(user, "client-key"),
            Token = Text(user, "token"),
        };

        UserError Missing(string what) => source.Error(source.Root, "", $"{what} is missing; expected {Expected}");

        YamlNode Named(string list, string wanted, string inner) =>
            (Find(source.Root, list) as YamlSequenceNode)?.FirstOrDefault(entry => Text(entry, "name") == wanted) is { } found && Find(found, inner) is { } value ? value : throw Missing($"{inner} {wanted} in {list}");

        // Inside the file as base64, or the path of a file beside it.
        string? Pem(YamlNode at, string key)
        {
            try
            {
                if (Text(at, $"{key}-data") is { } data) return Encoding.UTF8.GetString(Convert.FromBase64String(data));
                return Text(at, key) is { } file ? File.ReadAllText(Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, file)) : null;
            }
            catch (Exception e) when (e is FormatException or IOException or UnauthorizedAccessException)
            {
                throw source.Error(at, key, e.Message);
            }
        }
    }

    /// <summary>The client's certificate with its key, or null.</summary>
    /// <exception cref="UserError">They do not belong together.</exception>
    public X509Certificate2? ClientCertificate()
    {
        if (ClientCertificatePem is null || ClientKeyPem is null) return null;
        try
        {
            return X509Certificate2.CreateFromPem(ClientCertificatePem, ClientKeyPem);
        }
        catch (CryptographicException e)
        {
            throw new UserError($"The client certificate for {Server} cannot be used: {e.Message}", "k3s writes it anew when it is restarted.", e);
        }
    }

    private static YamlNode? Find(YamlNode node, string key) => node is YamlMappingNode mapping && mapping.Children.TryGetValue(new YamlScalarNode(key), out var value) ? value : null;

    private static string? Text(YamlNode node, string key) => Find(node, key) is YamlScalarNode { Value: { Length: > 0 } text } ? text : null;

    /// <summary>Where it is, without the secrets.</summary>
    public override string ToString() => $"{Server}";
}
