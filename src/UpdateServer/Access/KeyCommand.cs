using System.CommandLine;
using System.Globalization;
using Appliance.Core;
using Appliance.UpdateServer.Serve;

namespace Appliance.UpdateServer.Access;

/// <summary>The verb <c>appliance-server key</c>: the first key of a server, or another when all are lost.</summary>
internal static class KeyCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var options = new ServerOptionSet();
        var name = new Argument<string>("name") { Description = "Whose key it is; the audit log says this name." };
        var role = new Option<string>("--role") { Description = "viewer, operator or admin.", DefaultValueFactory = _ => "admin" };
        var days = new Option<int?>("--days") { Description = "How long it holds (default: for ever)." };
        var command = new Command("key", """
            Makes a key for the management API and prints it, once.

            Example:
              appliance-server key anna --data data
            """)
        { name, role, days };
        foreach (var option in options.OfDatabase) command.Add(option);
        command.SetAction(async (result, cancellationToken) =>
        {
            if (!Enum.TryParse<Role>(result.GetValue(role), ignoreCase: true, out var wanted) || int.TryParse(result.GetValue(role), CultureInfo.InvariantCulture, out _)) throw new UserError($"There is no role {result.GetValue(role)}.", "The roles are viewer, operator and admin.");
            if (result.GetValue(days) < 1) throw new UserError("--days is a number from 1 on.");
            await using var database = options.OpenDatabase(result);
            await database.MigrateAsync(cancellationToken);
            var life = result.GetValue(days) is { } count ? TimeSpan.FromDays(count) : (TimeSpan?)null;
            Console.WriteLine(await new KeyAuthentication(database, TimeProvider.System).CreateAsync(result.GetValue(name)!, wanted, life, "command line", cancellationToken));
            return 0;
        });
        return command;
    }
}
