using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using Appliance.Core;

namespace Appliance.UpdateServer.Certificates;

/// <summary>The verb <c>appliance-server authority</c>: a root to be kept off the server, and what issues below it.</summary>
internal static class AuthorityCommand
{
    private const string RootKey = "root.key", Root = "root.pem", Issuing = "issuing.pem";
    private static readonly string[] Files = [RootKey, Root, Issuing];

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var folder = new Argument<string>("folder") { Description = "A folder that takes root.key, root.pem and issuing.pem; with the first two in it, a new issuing authority is made below that root." };
        var name = new Option<string>("--name") { Description = "Name of the root.", DefaultValueFactory = _ => "Appliance devices" };
        var command = new Command("authority", """
            Makes an authority for devices' certificates: root.key goes into a safe, issuing.pem to the server (serve --device-issuer).

            Example:
              appliance-server authority keys --name "Example devices"
            """) { folder, name };
        command.SetAction(result =>
        {
            var path = Path.GetFullPath(result.GetValue(folder)!);
            try
            {
                Directory.CreateDirectory(path, FolderMode.Private);
                if (Array.TrueForAll(Files, file => !File.Exists(Path.Combine(path, file))))
                {
                    var made = IssuingAuthority.Make(result.GetValue(name)!, DateTimeOffset.UtcNow);
                    DurableFile.Write(Path.Combine(path, RootKey), Encoding.ASCII.GetBytes(made.RootKey));
                    DurableFile.Write(Path.Combine(path, Root), Encoding.ASCII.GetBytes(made.Root), DurableFile.Readable);
                    DurableFile.Write(Path.Combine(path, Issuing), Encoding.ASCII.GetBytes(made.Issuing));
                }
                else
                {
                    if (File.Exists(Path.Combine(path, Issuing)) || !File.Exists(Path.Combine(path, RootKey)) || !File.Exists(Path.Combine(path, Root))) throw new UserError($"{path} has an authority already.", $"For a new issuing one below the same root, have {RootKey} and {Root} there and no {Issuing}.");
                    DurableFile.Write(Path.Combine(path, Issuing), Encoding.ASCII.GetBytes(IssuingAuthority.MakeBelow(File.ReadAllText(Path.Combine(path, RootKey)), File.ReadAllText(Path.Combine(path, Root)), DateTimeOffset.UtcNow)));
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
            {
                throw new UserError($"The authority in {path} cannot be made: {e.Message}", "Name another folder.", e);
            }
            Console.WriteLine($"Keep {Path.Combine(path, RootKey)} off the server; start it with --device-issuer {Path.Combine(path, Issuing)}.");
        });
        return command;
    }
}
