# Registry numbers, services and the execution policy.

function Get-RegistryNumber {
    # Nothing where there is no such value; any other error of the look-up stops.
    param([Parameter(Mandatory = $true)][string]$Path, [Parameter(Mandatory = $true)][string]$Name)
    try {
        $item = Get-ItemProperty -LiteralPath $Path -Name $Name -ErrorAction Stop
    } catch {
        if (Test-NotFound $_) {
            return $null
        }
        throw
    }
    $value = Get-Field $item $Name
    if ($null -eq $value) {
        return $null
    }
    return [int]$value
}

function Set-RegistryNumber {
    param(
        [Parameter(Mandatory = $true)][string]$Path,
        [Parameter(Mandatory = $true)][string]$Name,
        [Parameter(Mandatory = $true)][int]$Value
    )
    $present = Get-RegistryNumber -Path $Path -Name $Name
    if ($present -eq $Value) {
        return
    }
    Invoke-Change -Kind 'RegistryNumber' -Target "$Path|$Name" -Old $present -New $Value -Do {
        Restore-RegistryNumber -Path $Path -Name $Name -Value $Value
    }
}

function Restore-RegistryNumber {
    # Nothing as a value removes the name.
    param([Parameter(Mandatory = $true)][string]$Path, [Parameter(Mandatory = $true)][string]$Name, $Value = $null)
    $present = Get-RegistryNumber -Path $Path -Name $Name
    if ($null -eq $Value) {
        if ($null -ne $present) {
            Remove-ItemProperty -LiteralPath $Path -Name $Name -ErrorAction Stop
        }
        return
    }
    if ($present -eq $Value) {
        return
    }
    if (-not (Test-Path -LiteralPath $Path)) {
        New-Item -Path $Path -Force -ErrorAction Stop | Out-Null
    }
    New-ItemProperty -LiteralPath $Path -Name $Name -Value ([int]$Value) -PropertyType DWord -Force -ErrorAction Stop | Out-Null
}

function Undo-RegistryNumber {
    param([Parameter(Mandatory = $true)]$Entry)
    $parts = ([string]$Entry.target) -split '\|'
    Restore-RegistryNumber -Path $parts[0] -Name $parts[1] -Value $Entry.old
}

function Get-PlainService {
    # Nothing where there is no such service; any other error of the look-up stops.
    param([Parameter(Mandatory = $true)][string]$Name)
    try {
        return (Get-Service -Name $Name -ErrorAction Stop)
    } catch {
        if (Test-NotFound $_) {
            return $null
        }
        throw
    }
}

function Test-ServiceRunning {
    param([Parameter(Mandatory = $true)][string]$Name)
    $service = Get-PlainService -Name $Name
    return ($null -ne $service -and [string]$service.Status -eq 'Running')
}

function Set-ServiceRunning {
    param([Parameter(Mandatory = $true)][string]$Name)
    $service = Get-PlainService -Name $Name
    if ($null -eq $service) {
        if ($WhatIfPreference) {
            Write-Note "the service $Name is not there yet: it would be set to start by itself once it is installed."
            return
        }
        throw "There is no service $Name on this machine. If Windows waits for a restart, restart it and run this again."
    }
    $present = [ordered]@{ start = [string]$service.StartType; status = [string]$service.Status }
    if ($present.start -eq 'Automatic' -and $present.status -eq 'Running') {
        return
    }
    $wanted = [ordered]@{ start = 'Automatic'; status = 'Running' }
    Invoke-Change -Kind 'ServiceState' -Target $Name -Old $present -New $wanted -Do {
        # A delayed automatic start counts as Automatic here, and is left as it is.
        if ($present.start -ne 'Automatic') {
            Set-Service -Name $Name -StartupType Automatic -ErrorAction Stop
        }
        Start-Service -Name $Name -ErrorAction Stop
    }
}

function Restore-Service {
    # Gives a service the start type and the status of before; one that is gone needs neither.
    param([Parameter(Mandatory = $true)][string]$Name, [Parameter(Mandatory = $true)][string]$Start, [Parameter(Mandatory = $true)][string]$Status)
    $service = Get-PlainService -Name $Name
    if ($null -eq $service) {
        return
    }
    if ($Status -ne 'Running' -and [string]$service.Status -ne 'Stopped') {
        Stop-Service -Name $Name -Force -ErrorAction Stop
    }
    if ($Status -eq 'Running' -and [string]$service.Status -ne 'Running') {
        Start-Service -Name $Name -ErrorAction Stop
    }
    if ([string]$service.StartType -ne $Start) {
        Set-Service -Name $Name -StartupType $Start -ErrorAction Stop
    }
}

function Undo-ServiceState {
    param([Parameter(Mandatory = $true)]$Entry)
    Restore-Service -Name $Entry.target -Start ([string]$Entry.old.start) -Status ([string]$Entry.old.status)
}

function Get-MachinePolicy {
    # The execution policy that a group policy sets, if any; else the machine's own.
    foreach ($scope in @('MachinePolicy', 'UserPolicy')) {
        $set = [string](Get-ExecutionPolicy -Scope $scope -ErrorAction Stop)
        if ($set -and $set -ne 'Undefined') {
            return @{ value = $set; forced = $true }
        }
    }
    return @{ value = [string](Get-ExecutionPolicy -Scope LocalMachine -ErrorAction Stop); forced = $false }
}

function Set-MachinePolicy {
    param([Parameter(Mandatory = $true)][string]$Value)
    $present = Get-MachinePolicy
    if (@('RemoteSigned', 'Unrestricted', 'Bypass') -contains $present.value) {
        return
    }
    if ($present.forced) {
        Write-Note "a group policy sets the execution policy $($present.value), which wins over this machine's: scripts without a signature do not run. It is left as it is."
        return
    }
    Invoke-Change -Kind 'ExecutionPolicy' -Target 'LocalMachine' -Old $present.value -New $Value -Do {
        Restore-ExecutionPolicy -Value $Value
    }
}

function Restore-ExecutionPolicy {
    param([Parameter(Mandatory = $true)][string]$Value)
    if ([string](Get-ExecutionPolicy -Scope LocalMachine -ErrorAction Stop) -eq $Value) {
        return
    }
    try {
        Set-ExecutionPolicy -Scope LocalMachine -ExecutionPolicy $Value -Force -ErrorAction Stop
    } catch {
        # `powershell -ExecutionPolicy Bypass` overrides the machine's policy for this process, which is reported
        # as an error although the policy was set.
        if ([string](Get-ExecutionPolicy -Scope LocalMachine -ErrorAction Stop) -ne $Value) {
            throw
        }
    }
}

function Undo-ExecutionPolicy {
    param([Parameter(Mandatory = $true)]$Entry)
    Restore-ExecutionPolicy -Value ([string]$Entry.old)
}
