#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Lets a scheduled task look at the network as the connector does: as NETWORK SERVICE, for a minute, a few times a day.

.DESCRIPTION
Resolvers, proxies and firewalls may treat accounts differently, and the connector runs as NETWORK SERVICE. The service
does not, because that account's certificate store holds the connector's key. So a task runs one audit as NETWORK
SERVICE, which ends by itself, and leaves its report.

Never run on Windows by the project. Read it before you run it.

.EXAMPLE
.\network-service-view.ps1 -Hours 12
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [string] $Program = (Join-Path $env:ProgramFiles 'wayclear'),
    [string] $Data = (Join-Path $env:ProgramData 'wayclear'),
    [ValidateRange(1, 168)] [int] $Hours = 6
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
$reports = Join-Path $Data 'network-service'

if ($PSCmdlet.ShouldProcess($reports, 'register the task')) {
    New-Item -ItemType Directory -Force -Path $reports | Out-Null
    # Only here may NETWORK SERVICE write; what the service runs and reads stays out of its reach.
    & icacls.exe $reports /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' '*S-1-5-20:(OI)(CI)M' /Q
    if ($LASTEXITCODE -ne 0) { throw "icacls.exe ended with $LASTEXITCODE" }

    $arguments = '-I -m probe audit --exit-zero --config "{0}\wayclear.toml" --format json --output "{1}\report.json"' -f $Data, $reports
    $action = New-ScheduledTaskAction -Execute (Join-Path $Program 'python\python.exe') -Argument $arguments
    # Not on the hour, where everything else begins.
    $trigger = New-ScheduledTaskTrigger -Once -At (Get-Date).AddMinutes(7) -RepetitionInterval (New-TimeSpan -Hours $Hours)
    # S-1-5-20 is NETWORK SERVICE in every language of Windows.
    $principal = New-ScheduledTaskPrincipal -UserId 'S-1-5-20' -LogonType ServiceAccount -RunLevel Limited
    $settings = New-ScheduledTaskSettingsSet -ExecutionTimeLimit (New-TimeSpan -Minutes 30) -MultipleInstances IgnoreNew -StartWhenAvailable
    Register-ScheduledTask -TaskPath '\wayclear\' -TaskName 'view of NETWORK SERVICE' -Action $action -Trigger $trigger `
        -Principal $principal -Settings $settings -Force | Out-Null
}
