using System.Globalization;
using Appliance.Core;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Certificates;
using Appliance.UpdateServer.Inventory;
using Appliance.UpdateServer.Management;
using Appliance.UpdateServer.Releases;
using Appliance.UpdateServer.Rollouts;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Appliance.UpdateServer.Pages;

/// <summary>What the pages' forms do: the same as the API, for whoever has logged in.</summary>
internal static class PageForms
{
    /// <summary>Adds them.</summary>
    public static void Map(IEndpointRouteBuilder pages)
    {
        pages.MapPost("/devices/{id}/assign", async (HttpContext http, DeviceRegister devices, PageVisitor visitor, string id) =>
        {
            var form = await http.Request.ReadFormAsync(http.RequestAborted);
            await devices.AssignAsync(id, new DeviceRegister.Assignment(Number(form, "release"), Checked(form, "forced"), Checked(form, "confirm"), null), visitor.Key!.Name, http.RequestAborted);
            return ToDevice(id);
        }).Requires(Role.Operator);
        pages.MapPost("/devices/{id}/rotate", async (HttpContext http, RotationBook rotations, PageVisitor visitor, string id) =>
        {
            var form = await http.Request.ReadFormAsync(http.RequestAborted);
            await rotations.GiveAsync(id, Text(form, "credential"), Checked(form, "forced"), visitor.Key!.Name, http.RequestAborted);
            return ToDevice(id);
        }).Requires(Role.Operator);
        pages.MapPost("/devices/{id}/labels", async (HttpContext http, DeviceRegister devices, PageVisitor visitor, string id) =>
        {
            var form = await http.Request.ReadFormAsync(http.RequestAborted);
            await devices.SetLabelAsync(id, Text(form, "label"), Text(form, "value"), visitor.Key!.Name, http.RequestAborted);
            return ToDevice(id);
        }).Requires(Role.Operator);
        pages.MapPost("/devices/{id}/actions/{action:long}/cancel", async (HttpContext http, DeviceRegister devices, PageVisitor visitor, string id, long action) =>
        {
            await devices.CancelAsync(id, action, visitor.Key!.Name, http.RequestAborted);
            return ToDevice(id);
        }).Requires(Role.Operator);
        pages.MapPost("/devices/{id}/decommission", async (HttpContext http, DeviceRegister devices, PageVisitor visitor, string id) =>
        {
            await devices.DecommissionAsync(id, visitor.Key!.Name, http.RequestAborted);
            return FleetPages.SeeOther("/devices");
        }).Requires(Role.Admin);
        pages.MapPost("/devices/{id}/token", async (HttpContext http, DeviceRegister devices, PageVisitor visitor, string id) => Shown(id, await devices.RenewTokenAsync(id, visitor.Key!.Name, http.RequestAborted))).Requires(Role.Admin);
        pages.MapPost("/devices/{id}/revoke", async (HttpContext http, PageVisitor visitor, string id) =>
        {
            await http.RequestServices.GetRequiredService<DeviceCertificates>().RevokeAsync(id, visitor.Key!.Name, http.RequestAborted);
            return ToDevice(id);
        }).Requires(Role.Admin);

        pages.MapPost("/rotations", async (HttpContext http, RotationBook rotations, PageVisitor visitor) =>
        {
            await rotations.CreateAsync(Text(await http.Request.ReadFormAsync(http.RequestAborted), "credential"), null, visitor.Key!.Name, http.RequestAborted);
            return FleetPages.SeeOther("/releases");
        }).Requires(Role.Operator);
        pages.MapPost("/rollouts", async (HttpContext http, RolloutBook book, PageVisitor visitor) =>
            ToRollout((await book.CreateAsync(Plan(await http.Request.ReadFormAsync(http.RequestAborted)), visitor.Key!.Name, http.RequestAborted)).Id)).Requires(Role.Operator);
        MapRollout(pages, "approve", (book, id, who, stop) => book.ApproveAsync(id, who, stop));
        MapRollout(pages, "start", (book, id, who, stop) => book.StartAsync(id, who, stop));
        MapRollout(pages, "pause", (book, id, who, stop) => book.PauseAsync(id, who, null, stop));
        MapRollout(pages, "resume", (book, id, who, stop) => book.ResumeAsync(id, who, stop));
        MapRollout(pages, "cancel", (book, id, who, stop) => book.CancelAsync(id, who, stop));
        MapRollout(pages, "retry", (book, id, who, stop) => book.RetryAsync(id, who, stop));

        pages.MapPost("/access/keys", async (HttpContext http, KeyRing keys, PageVisitor visitor) =>
        {
            var form = await http.Request.ReadFormAsync(http.RequestAborted);
            var role = Enum.TryParse<Role>(Text(form, "role"), out var given) && Enum.IsDefined(given) ? given : throw new UserError("There is no such role.");
            return Shown(Text(form, "name"), await keys.CreateAsync(Text(form, "name"), role, Text(form, "days").Length == 0 ? null : (int)Number(form, "days"), visitor.Key!.Name, http.RequestAborted));
        }).Requires(Role.Admin);
        pages.MapPost("/access/keys/{id:long}/revoke", async (HttpContext http, KeyRing keys, PageVisitor visitor, long id) =>
        {
            await keys.RevokeAsync(id, visitor.Key!.Name, http.RequestAborted);
            return FleetPages.SeeOther("/access");
        }).Requires(Role.Admin);
        pages.MapPost("/access/enrolment-tokens", async (HttpContext http, Enrolment enrolment, PageVisitor visitor) =>
        {
            var form = await http.Request.ReadFormAsync(http.RequestAborted);
            return Shown(Text(form, "name"), await enrolment.CreateAsync(Text(form, "name"), (int)Number(form, "uses"), (int)Number(form, "days"), visitor.Key!.Name, http.RequestAborted));
        }).Requires(Role.Admin);
    }

    private static void MapRollout(IEndpointRouteBuilder pages, string verb, Func<RolloutBook, long, string, CancellationToken, Task> change) =>
        pages.MapPost($"/rollouts/{{id:long}}/{verb}", async (HttpContext http, RolloutBook book, PageVisitor visitor, long id) =>
        {
            await change(book, id, visitor.Key!.Name, http.RequestAborted);
            return ToRollout(id);
        }).Requires(Role.Operator);

    private static RolloutPlan Plan(IFormCollection form) => new()
    {
        Name = Text(form, "name"),
        Release = Number(form, "release"),
        Filter = Text(form, "filter"),
        Groups = Text(form, "groups").Split([' ', ','], StringSplitOptions.RemoveEmptyEntries),
        SuccessPercent = (int)Number(form, "successPercent"),
        ErrorPercent = (int)Number(form, "errorPercent"),
        Retries = (int)Number(form, "retries"),
        Window = Text(form, "window") is { Length: > 0 } window ? window : null,
        Forced = Checked(form, "forced"),
        Confirm = Checked(form, "confirm"),
        Approval = Checked(form, "approval"),
    };

    private static RazorComponentResult<AccessPage> Shown(string name, string secret) => FleetPages.Page<AccessPage>((nameof(AccessPage.SecretName), name), (nameof(AccessPage.Secret), secret));

    private static IResult ToDevice(string id) => FleetPages.SeeOther($"/devices/{Uri.EscapeDataString(id)}");

    private static IResult ToRollout(long id) => FleetPages.SeeOther(string.Create(CultureInfo.InvariantCulture, $"/rollouts/{id}"));

    private static string Text(IFormCollection form, string name) => form[name].ToString().Trim();

    private static bool Checked(IFormCollection form, string name) => form[name] == "true";

    /// <summary>A number that a form gives; it is small enough for any use.</summary>
    private static long Number(IFormCollection form, string name) =>
        long.TryParse(Text(form, name), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= int.MaxValue ? number : throw new UserError($"{name} is a number.");
}
