using System.Globalization;
using System.Text.Json.Nodes;
using Appliance.Core.Fleet;
using Appliance.Core.Updates;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Serve;

namespace Appliance.UpdateServer.Ddi;

/// <summary>What DDI answers, in its words.</summary>
/// <param name="base">Address of the device's part of DDI, without a slash at the end.</param>
/// <param name="options">The server's options.</param>
/// <param name="now">The time.</param>
internal sealed class DdiDocuments(string @base, ServeOptions options, DateTimeOffset now)
{
    /// <summary>What there is to do.</summary>
    public JsonObject Tasks(DeviceDialogue.Tasks tasks)
    {
        var links = new JsonObject();
        if (tasks.Device.WantsAttributes) links["configData"] = Link("configData");
        if (tasks.Action is { } action)
        {
            switch (action.State)
            {
                case ActionState.Canceling:
                    links["cancelAction"] = Link($"cancelAction/{Number(action.Id)}");
                    break;
                case ActionState.WaitingForConfirmation:
                    links["confirmationBase"] = Link($"confirmationBase/{Number(action.Id)}?c={Change(action)}");
                    break;
                default:
                    // Clients look at the number to see whether something changed.
                    links["deploymentBase"] = Link($"deploymentBase/{Number(action.Id)}?c={Change(action)}");
                    break;
            }
        }
        if (tasks.Installed is { } installed) links["installedBase"] = Link($"installedBase/{Number(installed)}");
        return new JsonObject { ["config"] = new JsonObject { ["polling"] = new JsonObject { ["sleep"] = options.Poll.ToString(@"hh\:mm\:ss", CultureInfo.InvariantCulture) } }, ["_links"] = links };
    }

    /// <summary>An action and where its files are.</summary>
    /// <param name="deployment">The action.</param>
    /// <param name="member">Name of the part: <c>deployment</c>, or <c>confirmation</c> before it is confirmed.</param>
    public JsonObject Deployment(DeviceDialogue.Deployment deployment, string member)
    {
        var action = deployment.Action;
        var how = action.IsForced ? "forced" : "attempt";
        var part = new JsonObject { ["download"] = how, ["update"] = how };
        if (action.Window is { } text && MaintenanceWindow.TryParse(text) is { } window)
        {
            var open = window.Contains(now.UtcDateTime);
            part["maintenanceWindow"] = open ? "available" : "unavailable";
            if (!open) part["update"] = "skip";
        }
        part["chunks"] = new JsonArray(Chunk(deployment.Release));
        var document = new JsonObject { ["id"] = Number(action.Id), [member] = part };
        if (deployment.Messages.Count > 0)
            document["actionHistory"] = new JsonObject { ["status"] = action.State.ToString().ToUpperInvariant(), ["messages"] = new JsonArray([.. deployment.Messages.Select(message => (JsonNode)$"{message.Execution}{(message.Execution.Length > 0 && message.Text.Length > 0 ? ": " : "")}{message.Text}")]) };
        return document;
    }

    /// <summary>The wish to stop.</summary>
    public static JsonObject Cancel(UpdateAction action) => new() { ["id"] = Number(action.Id), ["cancelAction"] = new JsonObject { ["stopId"] = Number(action.Id) } };

    /// <summary>The confirmations of a device.</summary>
    public JsonObject Confirmations(DeviceDialogue.Tasks tasks)
    {
        var links = new JsonObject { [tasks.Device.ConfirmsByItself ? "deactivateAutoConfirm" : "activateAutoConfirm"] = Link(tasks.Device.ConfirmsByItself ? "confirmationBase/deactivateAutoConfirm" : "confirmationBase/activateAutoConfirm") };
        if (tasks.Action is { State: ActionState.WaitingForConfirmation } action) links["confirmationBase"] = Link($"confirmationBase/{Number(action.Id)}?c={Change(action)}");
        return new JsonObject { ["autoConfirm"] = new JsonObject { ["active"] = tasks.Device.ConfirmsByItself }, ["_links"] = links };
    }

    /// <summary>The files of a release.</summary>
    public JsonArray Artifacts(Release release) => new([.. release.Artifacts.OrderBy(artifact => artifact.FileName, StringComparer.Ordinal).Select(artifact => (JsonNode)Artifact(release, artifact))]);

    private JsonObject Chunk(Release release)
    {
        var chunk = new JsonObject
        {
            ["part"] = release.Part,
            ["name"] = release.Name,
            ["version"] = release.Version,
            ["artifacts"] = Artifacts(release),
        };
        // Our devices fetch a difference from the repository instead of the file.
        if (release.Kind is ReleaseKind.Image or ReleaseKind.Workload)
            chunk["metadata"] = new JsonArray(Metadata(DdiWords.Kind, release.Kind == ReleaseKind.Image ? DdiWords.Image : DdiWords.Workload), Metadata(DdiWords.Channel, release.Channel), Metadata(DdiWords.Repository, (options.RepositoryUrl ?? new Uri(new Uri(@base), RepositoryHosting.Path + "/")).ToString()));
        return chunk;
    }

    private static JsonObject Metadata(string key, string value) => new() { ["key"] = key, ["value"] = value };

    private JsonObject Artifact(Release release, Artifact artifact)
    {
        var href = $"softwaremodules/{Number(release.Id)}/artifacts/{Uri.EscapeDataString(artifact.FileName)}";
        var links = new JsonObject();
        // Some clients look for the one name, some for the other, by whether they use TLS.
        foreach (var name in new[] { "download", "download-http" }) links[name] = Link(href);
        foreach (var name in new[] { "md5sum", "md5sum-http" }) links[name] = Link(href + ".MD5SUM");
        return new JsonObject
        {
            ["filename"] = artifact.FileName,
            ["size"] = artifact.Size,
            ["hashes"] = new JsonObject { ["sha1"] = artifact.Sha1, ["md5"] = artifact.Md5, ["sha256"] = artifact.Sha256 },
            ["_links"] = links,
        };
    }

    private JsonObject Link(string path) => new() { ["href"] = $"{@base}/{path}" };

    private static string Number(long id) => id.ToString(CultureInfo.InvariantCulture);

    private static string Change(UpdateAction action) => action.CreatedAt.ToUnixTimeMilliseconds().ToString("x", CultureInfo.InvariantCulture);
}
