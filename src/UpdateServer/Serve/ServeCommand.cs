using System.CommandLine;
using Appliance.Core.Access;
using Serilog;

namespace Appliance.UpdateServer.Serve;

/// <summary>The verb <c>appliance-server serve</c>.</summary>
internal static class ServeCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var options = new ServerOptionSet();
        var command = new Command("serve", """
            Runs the update server.

            Examples:
              appliance-server serve --data data --repo /srv/updates
              APPLIANCE_SERVER_DATABASE='Host=db;Username=appliance;…' appliance-server serve --repo /srv/updates --listen http://127.0.0.1:8080 --proxy 127.0.0.1
            """);
        foreach (var option in options.All) command.Add(option);
        command.SetAction(async (result, cancellationToken) =>
        {
            var serve = options.Read(result);
            await using var database = options.OpenDatabase(result);
            await database.MigrateAsync(cancellationToken);
            await using var application = ServerApplication.Build(serve, database, TimeProvider.System);
            await application.StartAsync(cancellationToken);
            Log.Information("Listening at {Address}{Certificate}; make a first key with appliance-server key", serve.Listen, Fingerprint(application));
            using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, application.Lifetime.ApplicationStopping);
            await Task.Delay(Timeout.Infinite, end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Log.Information("Ending: requests under way are finished");
            await application.StopAsync(CancellationToken.None);
            return cancellationToken.IsCancellationRequested ? 0 : 1; // by itself: systemd starts it again
        });
        return command;
    }

    /// <summary>For a certificate that nobody knows otherwise.</summary>
    private static string Fingerprint(WebApplication application) =>
        application.Services.GetService<ServerCertificate>() is { } shown ? $", certificate (SHA-256) {PemCertificate.Fingerprint(shown.Certificate)}" : "";
}
